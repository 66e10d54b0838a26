"""What block norms are good for, against sums made by hand."""

import pytest
import torch
from torch.nn.functional import normalize

from oodcore.data import jigsaw
from oodcore.errors import ScoreError
from oodcore.evaluate.blocks import (
    NORM,
    PARTNERS,
    below,
    block_aurocs,
    gains,
    scores_of_images,
    shuffle,
    with_and_without,
)
from oodcore.functional import free_energy
from oodcore.models import Classifier, build
from oodcore.models.collect import collect, outputs_of
from oodcore.records import Bank, Head, Outputs
from tests.evaluate.test_fit import pictures


@pytest.fixture
def model() -> Classifier:
    return build("resnet-8-w4", ("ant", "bee", "cow")).eval()


def bank(norms: list[list[float]] | None) -> Bank:
    n = len(norms) if norms else 2
    head = Head(torch.eye(2), torch.zeros(2))
    features = torch.ones(n, 2)
    values = None if norms is None else torch.tensor(norms)
    return Bank(Outputs(head(features), features, values), torch.zeros(n, dtype=torch.int64), head)


def test_a_block_whose_norm_falls_for_outliers_has_a_high_auroc() -> None:
    inside, outside = bank([[3.0, 1.0], [4.0, 2.0]]), bank([[1.0, 3.0], [3.5, 4.0]])
    assert block_aurocs(inside, outside).tolist() == [0.75, 0.0]


def test_below_counts_the_known_images_with_a_smaller_norm() -> None:
    known = bank([[1.0, 5.0], [2.0, 6.0], [3.0, 7.0], [4.0, 8.0]])
    assert below(known, torch.tensor([3.5, 4.0], dtype=torch.float64)).tolist() == [0.75, 0.0]


def test_outputs_without_norms_say_so() -> None:
    with pytest.raises(ScoreError, match="carry no norms"):
        block_aurocs(bank(None), bank(None))


def test_a_picture_and_its_jigsaws_are_one_pass_of_each(model: Classifier) -> None:
    pixels = pictures(1, 3).images[0]
    found = shuffle(model, pixels, count=4, seed=7)
    assert torch.equal(found.pictures[2], jigsaw(pixels, found.orders[2]))
    norms = outputs_of(model, torch.cat([pixels[None], found.pictures])).norms
    assert norms is not None
    torch.testing.assert_close(found.whole, norms[0].double())
    torch.testing.assert_close(found.cut, norms[1:].double())
    torch.testing.assert_close(found.ratios, (norms[0] / norms[1:]).double().mean(0))
    assert torch.equal(shuffle(model, pixels, count=4, seed=7).orders, found.orders)
    assert not torch.equal(shuffle(model, pixels, count=4, seed=8).orders, found.orders)


def test_the_norm_replaces_the_length_of_the_features(model: Classifier) -> None:
    rows = collect(model, pictures(12, 1))
    panel = with_and_without(rows, 1, ("energy", "msp"))
    scores = panel(rows.outputs)
    assert rows.outputs.norms is not None
    longer = normalize(rows.outputs.features.double(), dim=1) * rows.outputs.norms[:, 1:2].double()
    torch.testing.assert_close(scores["energy"], free_energy(rows.outputs.logits.double()))
    torch.testing.assert_close(scores[NORM + "energy"], free_energy(model.head(longer)))


def test_gains_compare_each_scorer_with_itself_and_keep_known_images() -> None:
    inside = {"energy": torch.arange(20.0).double(), f"{NORM}energy": torch.zeros(20).double()}
    outside = {"energy": torch.tensor([-1.0, 30.0]).double(), f"{NORM}energy": torch.ones(2).double()}
    (found,) = gains(inside, outside, ["energy"])
    assert found.auroc == (0.5, 1.0)
    assert found.fpr95 == (0.5, 0.0)


def test_odin_looks_at_the_pictures_themselves(model: Classifier) -> None:
    images = pictures(9, 5)
    panel = with_and_without(collect(model, images), -2, PARTNERS)
    found = scores_of_images(panel, model, images)
    assert set(found) == {name for one in PARTNERS for name in (one, NORM + one)}
    assert all(len(scores) == 9 for scores in found.values())
    direct = panel.subset(["odin"]).score(model, images.images)["odin"]
    torch.testing.assert_close(found["odin"], direct.double())
