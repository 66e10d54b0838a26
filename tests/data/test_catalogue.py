from pathlib import Path

import numpy as np
import pytest
import torch

from oodcore.data import ArraySet, comparable, entries, entry, get, open_set
from oodcore.errors import DataError, UnknownNameError


def test_names_are_unique_and_every_line_is_told() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for known in entries():
        assert all((known.title, known.licence, known.splits))
        assert known.how.endswith((".", known.name))


def test_every_coded_set_has_a_lossless_partner() -> None:
    names = {known.name: known.coding for known in entries()}
    for name, coding in names.items():
        if name.startswith("ood-") and not name.endswith("-clean"):
            assert (coding, names[f"{name}-clean"]) == ("jpeg75", "lossless")
    assert (names["cifar10"], names["cifar10-jpeg"], names["cifar10-clean"]) == ("lossless", "jpeg75", "lossless")


def test_on_an_empty_machine_only_the_drawn_sets_are_present(empty_machine: Path) -> None:
    here = {known.name for known in entries() if known.present()}
    assert here == {"shapes", "shapes-aux", "shapes-near", "shapes-far"}


@pytest.mark.parametrize("name", ["shapes", "shapes-aux", "shapes-near", "shapes-far"])
def test_the_drawn_sets_are_what_the_catalogue_says(name: str, empty_machine: Path) -> None:
    known, images = entry(name), open_set(name)
    found = (images.name, images.role, len(images.classes), images.coding)
    assert found == (known.name, known.role, known.classes, known.coding)


def test_drawn_outliers_come_with_any_imbalance(empty_machine: Path) -> None:
    counts = list(open_set("shapes-aux-50", "test").counts.values())
    assert counts[0] == pytest.approx(50 * counts[-1], rel=0.1)
    for name in ("shapes-aux-0", "shapes-aux-x", "shapes-50"):
        with pytest.raises(UnknownNameError):
            open_set(name)


def test_every_missing_set_says_what_is_missing_where_and_how_to_get_it(empty_machine: Path) -> None:
    for known in entries():
        if known.needs:
            with pytest.raises(DataError) as caught:
                open_set(known.name, known.splits[-1], "elsewhere")
            said = str(caught.value)
            assert known.needs[0] in said
            assert "'elsewhere'" in said
            assert said.endswith(known.how)


def test_a_wrong_split_is_told_with_the_right_ones() -> None:
    with pytest.raises(DataError, match="'tin-aux50' has the splits train, val; got 'test'"):
        open_set("tin-aux50")


def test_a_wrong_name_gets_a_proposal() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'ood-gtsrb'"):
        open_set("ood-gtrsb")
    with pytest.raises(DataError, match="There is no file or folder"):
        open_set("pictures/of/mine")


def test_sets_that_cannot_be_downloaded_say_where_they_are_from(empty_machine: Path) -> None:
    with pytest.raises(DataError, match=r"'cifar10-jpeg' cannot be downloaded\. It is cifar10_jpeg32\.tar\.xz"):
        get("cifar10-jpeg")
    assert get("shapes") == Path("data")


class TestOwnPictures:
    def test_a_divided_folder_can_serve_as_id(self, folder_of, empty_machine: Path) -> None:
        places = [f"{part}/{owner}/{row}.png" for part in ("train", "test") for owner in "ab" for row in range(8)]
        path = str(folder_of(empty_machine / "mine", *places))
        train, calibration, test = (open_set(path, split) for split in ("train", "calibration", "test"))
        assert [len(each) for each in (train, calibration, test)] == [8, 8, 16]
        together = [*train.fingerprints, *calibration.fingerprints, *test.fingerprints]
        assert len(set(together)) == 32
        assert len(open_set(path, "train+calibration")) == 16
        with pytest.raises(DataError, match="no part 'aux'; it has test, train"):
            open_set(path, "aux")

    def test_a_calibration_folder_of_one_s_own_is_used(self, folder_of, empty_machine: Path) -> None:
        path = folder_of(empty_machine / "mine", "train/a/0.png", "train/a/1.png", "calibration/a/2.png", "val/a/3.png")
        assert [open_set(path, split).keys for split in ("train", "calibration", "test")] == [
            ("a/0.png", "a/1.png"),
            ("a/2.png",),
            ("a/3.png",),
        ]

    def test_an_undivided_folder_is_a_test_set_and_no_training_set(self, folder_of, empty_machine: Path) -> None:
        folder_of(empty_machine / "mine", "a/0.png", "a/1.png")
        assert len(open_set("mine")) == len(open_set("mine", "all")) == 2
        for split in ("train", "calibration"):
            with pytest.raises(DataError, match="no folder 'train' with pictures; it is not divided"):
                open_set("mine", split)

    def test_files_are_told_apart_by_their_suffix(self, folder_of, empty_machine: Path) -> None:
        folder_of(empty_machine, "a/0.png")
        np.save("some.npy", np.zeros((2, 4, 4, 3), np.uint8))
        np.savez("some.npz", images=np.zeros((3, 4, 4, 3), np.uint8))
        Path("list.txt").write_text("a/0.png -1\n")
        assert [len(open_set(name)) for name in ("some.npy", "some.npz", "list.txt")] == [2, 3, 1]
        with pytest.raises(DataError, match="is one set without a train part"):
            open_set("some.npz", "train")
        Path("set.csv").touch()
        with pytest.raises(DataError, match="is no image set"):
            open_set("set.csv")

    def test_the_catalogue_goes_before_a_folder_of_the_same_name(self, folder_of, empty_machine: Path) -> None:
        folder_of(empty_machine / "shapes", "a/0.png")
        assert open_set("shapes").classes != ("a",)
        assert open_set("./shapes").classes == ("a",)


NAMES = [known.name for known in entries()]
SIZES = {
    "cifar10-clean": {"train": 1500, "calibration": 500, "test": 1000, "train+calibration": 2000},
    "tin-ok60": {"train": 29_995, "test": 2_999},
    "tin-aux50": {"train": 24_996, "val": 2_500},
    "ood-tin25": {"test": 4_998},
    "ood-caltech": {"test": 5_683},
    "ood-dtd10": {"test": 1_197},
    "ood-gtsrb": {"test": 7_949},
    "ood-mnist": {"test": 10_000},
    "ood-rsscn7": {"test": 2_800},
    "ood-scene15": {"test": 4_464},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [known.name for known in entries() if known.name.startswith(("ood-", "tin-", "cifar10-c"))]
)
def test_every_real_set_is_what_the_catalogue_says(name: str, data_root: Path) -> None:
    known = entry(name)
    for split in known.splits:
        if (name, split) in (("tin-id100", "train"), ("tin-id100", "calibration")):
            continue  # divided like cifar10-jpeg, and slower
        images = open_set(name, split, data_root)
        assert (images.name, images.role, images.coding) == (name, known.role, known.coding)
        assert len(images.classes) == known.classes
        assert min(images.counts.values()) > 0
        assert len(images) == SIZES.get(name, {split: len(images)})[split]
        assert images[0].image.shape == (3, 32, 32)
        assert not name.startswith("ood-") or not name.endswith("-clean") or len(images) == 1000


@pytest.mark.slow
def test_cifar10_is_divided_without_overlap(data_root: Path) -> None:
    train, calibration, test = (
        open_set("cifar10-jpeg", split, data_root) for split in ("train", "calibration", "test")
    )
    assert set(train.counts.values()) == {4750}
    assert set(calibration.counts.values()) == {250}
    assert set(test.counts.values()) == {1000}
    assert len({*train.fingerprints, *calibration.fingerprints, *test.fingerprints}) == 60_000
    assert train.classes[3] == "cat"


@pytest.mark.slow
def test_the_lossless_sets_are_the_coded_ones_before_coding(data_root: Path) -> None:
    """The same keys, and the same pictures up to what JPEG loses."""
    coded, clean = (open_set(name, root=data_root) for name in ("ood-gtsrb", "ood-gtsrb-clean"))
    where = {key: row for row, key in enumerate(coded.keys)}
    same = coded.take([where[key] for key in clean.keys])
    assert isinstance(same, ArraySet)
    assert isinstance(clean, ArraySet)
    assert torch.equal(same.labels, clean.labels)
    difference = (same.images.float() - clean.images.float()).abs().mean((1, 2, 3))
    assert 0 < float(difference.mean()) < 8


@pytest.mark.slow
def test_our_coding_is_that_of_the_coded_sets(data_root: Path) -> None:
    """Coding the lossless pictures with the preprocessing gives the archive's pixels, bit for bit."""
    from oodcore.data import Preprocessing

    coded, clean = (open_set(name, root=data_root) for name in ("ood-caltech", "ood-caltech-clean"))
    where = {key: row for row, key in enumerate(coded.keys)}
    rows = [where[key] for key in clean.keys[:200]]
    assert clean.take(slice(0, 200)).seen(Preprocessing(coding="jpeg75")) == coded.take(rows).fingerprints


def test_comparable_sets_are_coded_alike_and_drawn_ones_stand_with_drawn_ones() -> None:
    assert [each.name for each in comparable(entry("shapes"))] == ["shapes-near", "shapes-far"]


def test_sets_that_are_not_here_are_not_comparable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OOD_CACHE", str(tmp_path))
    monkeypatch.delenv("OOD_DATA", raising=False)
    assert comparable(entry("cifar10-jpeg")) == []
    (tmp_path / "ood_public_32.tar.xz").touch()
    found = comparable(entry("cifar10-jpeg"), tmp_path)
    assert "ood-mnist" in [each.name for each in found]
    assert {each.coding for each in found} == {"jpeg75"}
