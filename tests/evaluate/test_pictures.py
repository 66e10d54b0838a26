"""The pictures of a reference's rows are found again, and never the wrong ones."""

import pytest
import torch

import oodcore
from oodcore.checkpoint import load_energies, load_reference
from oodcore.checkpoint.reference import kept_rows
from oodcore.data import entry
from oodcore.data.procedural import procedural
from oodcore.errors import DataError, UnknownNameError
from oodcore.evaluate.pictures import image_rows, parts, reference_images, require_same, verified_images
from oodcore.functional import free_energy
from oodcore.models.collect import collect, outputs_of

NAME = "shapes-resnet20w4"


def test_kept_rows_are_a_fixed_choice_in_order() -> None:
    assert kept_rows(20).tolist() == list(range(20))
    chosen = kept_rows(2000)
    assert len(chosen) == 1000
    assert bool((chosen.diff() > 0).all())
    assert torch.equal(chosen, kept_rows(2000))


def test_a_whole_set_keeps_its_chosen_rows_and_a_thinned_one_those_that_were_measured() -> None:
    assert torch.equal(image_rows(2000, 2000), kept_rows(2000))
    assert image_rows(4, 8).tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize("name", ["shapes", "shapes-near", "shapes-far", "shapes-aux-50"])
def test_every_set_gives_the_numbers_that_the_reference_keeps(name: str) -> None:
    model, bank = oodcore.load(NAME), load_reference(NAME)[name]
    images = verified_images(model, name, bank, len(load_energies(NAME)[name]), ["shapes-aux-50"])
    rows = torch.tensor([0, 3, 501, 999])
    batch = next(iter(images.take(rows).batches(4, model.transform)))
    energies = free_energy(outputs_of(model, batch.images).logits)
    assert energies.tolist() == pytest.approx(free_energy(bank.outputs.logits[rows]).tolist(), abs=0.02)


def test_auxiliary_rows_are_held_out_ones() -> None:
    assert parts(entry("shapes-aux-50"))[0] == "calibration"
    assert parts(entry("tin-aux50")) == ["val"]
    assert parts(entry("shapes")) == ["test"]
    assert parts(entry("random-300k"))


def test_another_part_of_the_set_is_found_by_its_numbers() -> None:
    model = oodcore.load(NAME)
    images = procedural("shapes-aux", "test", imbalance=50).take(kept_rows(2000))
    bank = collect(model, images, norms=False)
    found = verified_images(model, "shapes-aux-50", bank, 2000)
    assert found.keys == images.keys


def test_other_pictures_are_refused() -> None:
    model, bank = oodcore.load(NAME), load_reference(NAME)["shapes"]
    images = reference_images("shapes", 2000)
    require_same(model, images, bank)
    with pytest.raises(DataError, match="not those that the checkpoint was measured with"):
        require_same(model, images.take(torch.arange(1000).roll(1)), bank)
    with pytest.raises(DataError, match="not those"):
        verified_images(oodcore.load(f"{NAME}-semantic"), "shapes", bank, 2000)


def test_a_smaller_set_is_refused() -> None:
    with pytest.raises(DataError, match="it is not the same set"):
        reference_images("shapes", 5000)


def test_a_set_that_nobody_knows() -> None:
    with pytest.raises(UnknownNameError):
        reference_images("no-such-set", 10)
