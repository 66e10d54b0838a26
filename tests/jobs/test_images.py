from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from oodcore.data import ArraySet, Preprocessing, entries, entry, image_folder
from oodcore.data.procedural import procedural
from oodcore.errors import DataError
from oodcore.evaluate import Work
from oodcore.jobs import images as module
from oodcore.jobs.images import Images, Sources, held_out_by_content, in_memory, read_inliers, read_outliers
from tests.jobs.conftest import World

Pack = Callable[[str, ArraySet], Path]


def opened(world: World, **tables: object) -> Images:
    sources = Sources(world.experiment(**tables), None, Work())
    return sources.images(read_inliers(sources.experiment, sources.read), Preprocessing())


def draw(folder: Path, n: int, seed: int, size: tuple[int, int] = (40, 50)) -> None:
    folder.mkdir(parents=True)
    dice = np.random.default_rng(seed)
    for number in range(n):
        Image.fromarray(dice.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / f"{number}.png")


def test_undivided_sets_of_ones_own_validate_on_images_that_they_do_not_train_on(world: World) -> None:
    found = opened(world)
    assert found.outliers is not None
    assert found.held_out is not None
    for train, other, n in ((found.inliers, found.calibration, 60), (found.outliers, found.held_out, 30)):
        assert len(train) + len(other) == n
        assert not set(train.fingerprints) & set(other.fingerprints)
    assert found.inliers.counts == found.calibration.counts
    assert found.rule == "15 of 30 images of 'alike', chosen by content and not trained on"


def test_what_is_held_out_depends_on_the_content_alone() -> None:
    images = procedural("shapes-aux", "train", count=40)
    images = images.take([*range(40), 0, 1, 2])  # with duplicates
    there, back = held_out_by_content(images), held_out_by_content(images.take(list(range(42, -1, -1))))
    assert sorted(there.held_out.fingerprints) == sorted(back.held_out.fingerprints)
    assert not set(there.held_out.fingerprints) & set(there.train.fingerprints)
    assert len(there.train) + len(there.held_out) == 43


def test_a_twentieth_is_held_out_of_a_large_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_LEAST", 3)
    parts = held_out_by_content(procedural("shapes-aux", "train", count=120))
    assert (len(parts.train), len(parts.held_out)) == (114, 6)


def test_one_image_cannot_be_divided() -> None:
    with pytest.raises(DataError, match="'shapes-aux' has 1 images; training and validation need one each"):
        held_out_by_content(procedural("shapes-aux", "train", count=1))


def test_a_folder_with_a_validation_part_is_taken_as_it_is(world: World, tmp_path: Path) -> None:
    draw(tmp_path / "aux" / "train" / "noise", 5, 0)
    draw(tmp_path / "aux" / "val" / "noise", 3, 1)
    parts = read_outliers(
        world.experiment(data={"outliers": str(tmp_path / "aux")}), Sources.read.__get__(any_source(world))
    )
    assert (len(parts.train), len(parts.held_out), parts.rule) == (5, 3, "aux/val")


def any_source(world: World) -> Sources:
    return Sources(world.experiment(), None, Work())


@pytest.mark.parametrize(
    ("name", "rule"), [("shapes-aux", "shapes-aux/calibration"), ("shapes-aux-50", "shapes-aux-50/calibration")]
)
def test_sets_of_the_catalogue_say_their_parts(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, rule: str
) -> None:
    read: list[tuple[str, str]] = []

    def open_set(name: str, split: str, *rest: object) -> ArraySet:
        read.append((name, split))
        return replace(procedural("shapes-aux", "train", count=10), name=name)

    monkeypatch.setattr(module, "open_set", open_set)
    found = read_outliers(world.experiment(data={"outliers": name}), any_source(world).read)
    assert found.rule == rule
    assert read == [(name, "train"), (name, "calibration")]


def test_the_wanted_part_comes_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "open_set", lambda *about: procedural("shapes-aux", "train", count=10))
    experiment = world.experiment(data={"outliers": "shapes-aux"}, validation={"outlier_split": "test"})
    assert read_outliers(experiment, any_source(world).read).rule == "shapes-aux/test"


def test_a_catalogued_set_without_parts_is_divided_by_content(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the 300,000 random images, whose only part is for training."""
    monkeypatch.setattr(module, "open_set", lambda *about: procedural("shapes-aux", "train", count=10))
    found = read_outliers(world.experiment(data={"outliers": "random-300k"}), any_source(world).read)
    assert (len(found.train), len(found.held_out)) == (5, 5)
    assert "chosen by content" in found.rule


@pytest.mark.parametrize("split", ["calibration", "train+calibration"])
def test_validation_images_are_not_trained_on(world: World, split: str) -> None:
    with pytest.raises(DataError, match=r"would train on the images that validate. Use split = 'train'"):
        opened(world, data={"split": split})


def test_unlabelled_inliers_are_refused(world: World, tmp_path: Path) -> None:
    draw(tmp_path / "plain", 3, 0)
    with pytest.raises(DataError, match=r"'plain' has images without a class. Train on labelled images: a folder per"):
        opened(world, data={"inliers": str(tmp_path / "plain")})


def test_a_long_tail_is_cut_from_the_training_part_alone(world: World) -> None:
    whole, cut = opened(world), opened(world, data={"long_tail": 0.4})
    counts = list(cut.inliers.counts.values())
    assert (counts[0], counts[-1]) == (3, 1)
    assert cut.calibration.digest == whole.calibration.digest


def test_files_become_what_the_network_sees_of_them(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        draw(tmp_path / "pets" / name, 3, len(name))
    files, preprocessing = image_folder(tmp_path / "pets"), Preprocessing(size=16, coding="jpeg75")
    found = in_memory(files, preprocessing)
    assert found.images.shape == (6, 3, 16, 16)
    assert (found.classes, found.keys, found.coding, found.name) == (files.classes, files.keys, "jpeg75", "pets")
    assert torch.equal(found.labels, files.labels)
    for row, sample in enumerate(files):
        assert torch.equal(found.images[row], preprocessing.pixels(sample.image))
    again = next(found.batches(6, preprocessing))
    assert torch.equal(again.images, found.images)  # nothing is coded twice


def test_images_are_trained_on_with_the_coding_that_the_network_expects() -> None:
    images, preprocessing = procedural("shapes", "train", count=5), Preprocessing(coding="jpeg75")
    found = in_memory(images, preprocessing)
    assert torch.equal(found.images, preprocessing.pixels(images.images))
    assert not torch.equal(found.images, images.images)
    assert in_memory(found, preprocessing) is found


def test_what_fits_already_is_not_copied() -> None:
    images = procedural("shapes", "train", count=5)
    assert in_memory(images, Preprocessing()) is images


def test_images_that_do_not_fit_into_memory_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 3}[name])
    with pytest.raises(DataError, match=r"'shapes' would take 0 GiB of this machine's 0; training keeps its images"):
        in_memory(procedural("shapes", "train", count=5), Preprocessing(size=33))


def overlapping(world: World, pack: Pack, part: slice, **data: object) -> None:
    """Training outliers among which a test picture hides."""
    found = opened(world)
    assert found.outliers is not None
    assert found.held_out is not None
    both = {"outliers": found.outliers, "held out": found.held_out}
    test = replace(both[str(data.pop("of"))].take(part), name="test")
    data = {"not_tested": [str(pack("test", test))]} | data
    sources = Sources(world.experiment(data=data), None, Work())
    sources.require_apart(found, Preprocessing())


@pytest.mark.parametrize("of", ["outliers", "held out"])
def test_an_outlier_that_is_also_in_a_test_set_is_refused(world: World, packed: Pack, of: str) -> None:
    with pytest.raises(DataError, match=r"2 images of 'test' are also among the training outliers 'alike'"):
        overlapping(world, packed, slice(1, 3), of=of)


def test_sets_apart_pass(world: World, packed: Pack) -> None:
    other = packed("other", procedural("shapes-near", "test", count=5))
    sources = Sources(world.experiment(data={"not_tested": [str(other)]}), None, Work())
    sources.require_apart(opened(world), Preprocessing())


def test_an_outlier_that_shows_a_training_image_is_refused(world: World) -> None:
    found = opened(world)
    assert found.outliers is not None
    planted = replace(found.outliers, images=torch.cat([found.calibration.images[:1], found.outliers.images[1:]]))
    sources = Sources(world.experiment(), None, Work())
    with pytest.raises(DataError, match=r"1 images of 'figures' are also among the training outliers"):
        sources.require_apart(replace(found, outliers=planted), Preprocessing())


def test_an_outlier_that_shows_an_image_tested_for_accuracy_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = opened(world)
    assert found.outliers is not None
    tested = in_memory(entry("shapes").open("test").take(slice(3)), Preprocessing())
    planted = replace(found.outliers, images=torch.cat([tested.images[:1], found.outliers.images[1:]]))
    monkeypatch.setattr(module, "catalogued", lambda _: replace(entry("shapes"), needs=("a file",)))
    sources = Sources(world.experiment(data={"inliers": "shapes", "not_tested": []}), None, Work())
    with pytest.raises(DataError, match=r"1 images of 'shapes' are also among the training outliers"):
        sources.require_apart(replace(found, outliers=planted), Preprocessing())


def test_an_outlier_among_the_tested_images_of_ones_own_set_is_refused(world: World, tmp_path: Path) -> None:
    for seed, part in enumerate(("train", "calibration", "test")):
        draw(tmp_path / "mine" / part / "cat", 3, seed, size=(32, 32))
    test = image_folder(tmp_path / "mine", "test")
    found = opened(world, data={"inliers": str(tmp_path / "mine")})
    assert found.outliers is not None
    planted = torch.cat([in_memory(test, Preprocessing()).images[:1], found.outliers.images[1:]])
    found = replace(found, outliers=replace(found.outliers, images=planted))
    sources = Sources(world.experiment(data={"inliers": str(tmp_path / "mine"), "not_tested": []}), None, Work())
    with pytest.raises(DataError, match=r"1 images of 'mine' are also among the training outliers"):
        sources.require_apart(found, Preprocessing())


def test_a_copy_of_another_size_is_found_where_the_network_sees_the_same(world: World, packed: Pack) -> None:
    preprocessing, found = Preprocessing(size=16), opened(world)
    small = Images(*(in_memory(part, preprocessing) for part in (found.inliers, found.calibration)))
    assert found.outliers is not None
    outliers = in_memory(found.outliers, preprocessing)
    test = packed("test", found.outliers.take(slice(2)))
    sources = Sources(world.experiment(data={"not_tested": [str(test)]}), None, Work())
    with pytest.raises(DataError, match="2 images of 'test'"):
        sources.require_apart(replace(small, outliers=outliers, held_out=outliers), preprocessing)


def compared(world: World, outliers: str, coding: str, root: Path | None, *named: str) -> list[str]:
    experiment = world.experiment(data={"outliers": outliers, "not_tested": [*named, "all"]})
    images = replace(procedural("shapes-aux", "train", count=2), coding=coding)
    return list(Sources(experiment, root, Work())._tests(images))


def test_all_means_every_test_set_that_is_here_in_the_same_coding(world: World, data_root: Path) -> None:
    coded = {each.name for each in entries() if each.role in ("near", "far") and each.coding == "jpeg75"}
    assert coded == set(compared(world, "tin-aux50", "jpeg75", data_root))
    assert {"shapes-near", "shapes-far"} <= set(compared(world, str(world.outliers), "lossless", None))
    assert compared(world, str(world.outliers), "lossless", None, "mine.npz")[0] == "mine.npz"


def test_drawn_outliers_need_no_comparison_with_drawn_tests(world: World, tmp_path: Path) -> None:
    """No two of them share a family of figures: tests/data/test_procedural.py."""
    assert "shapes-near" not in compared(world, "shapes-aux-50", "lossless", tmp_path)


def test_a_drawn_test_picture_among_ones_own_outliers_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    found = opened(world)
    near = procedural("shapes-near", "test", count=10)
    monkeypatch.setattr(module, "open_set", lambda *about: near)
    strange = replace(near.take(slice(7, 8)), name="mine")
    sources = Sources(world.experiment(data={"not_tested": ["shapes-near"]}), None, Work())
    with pytest.raises(DataError, match="1 images of 'shapes-near' are also among the training outliers 'mine'"):
        sources.require_apart(replace(found, outliers=strange), Preprocessing())


def test_the_digests_change_with_the_content(world: World) -> None:
    found = opened(world)
    assert list(found.digests) == ["figures/train", "figures/calibration", "alike/train", "alike/held out"]
    assert len(set(found.digests.values())) == 4
    assert found.digests == opened(world).digests
    assert found.digests != opened(world, data={"long_tail": 0.4}).digests
