import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oodcore.data import cache_folder
from oodcore.data.archives import read_archive
from oodcore.errors import DataError


@pytest.fixture
def archive(empty_machine: Path, coded: Callable[..., bytes]) -> Callable[..., Path]:
    """A tar of pictures at these places, each another one."""

    def make(*places: str, mode: str = "w:xz", side: int = 6, broken: str = "") -> Path:
        path = empty_machine / "sets.tar.xz"
        with tarfile.open(path, mode) as tar:
            for seed, place in enumerate(places):
                content = b"no picture" if place == broken else coded(seed, side)
                member = tarfile.TarInfo(place)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        return path

    return make


PLACES = ("set/train/cat/0.png", "set/train/dog/1.png", "set/test/cat/2.png", "other/x/3.png")


@pytest.mark.parametrize("mode", ["w:xz", "w:gz", "w:bz2", "w"])
def test_each_folder_of_class_folders_is_a_set(mode: str, archive, coded) -> None:
    path = archive(*PLACES, mode=mode)
    train = read_archive(path, "set/train")
    assert (train.keys, train.names) == (("cat/0.png", "dog/1.png"), ("cat", "dog"))
    expected = [np.asarray(Image.open(io.BytesIO(coded(seed, 6)))).transpose(2, 0, 1) for seed in (0, 1)]
    np.testing.assert_array_equal(train.images.numpy(), expected)
    assert read_archive(path, "other").keys == ("x/3.png",)


def test_the_second_read_does_not_decode(archive, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(*PLACES)
    first = read_archive(path, "set/test")
    monkeypatch.setattr("oodcore.data.archives.decode", None)
    assert (read_archive(path, "set/test").images == first.images).all()


def test_another_archive_of_the_same_name_is_another_set(archive) -> None:
    first = read_archive(archive(*PLACES), "set/test").images.clone()
    second = read_archive(archive(*reversed(PLACES)), "set/test").images
    assert not (first == second).all()


def test_changing_the_images_in_memory_leaves_the_cache_alone(archive) -> None:
    path = archive(*PLACES)
    before = read_archive(path, "set/test").images
    kept = before.clone()
    before += 1
    assert (read_archive(path, "set/test").images == kept).all()


def test_progress_ends_at_the_size_of_the_archive(archive) -> None:
    path = archive(*PLACES)
    told: list[tuple[int, int]] = []
    read_archive(path, "other", lambda done, total: told.append((done, total)))
    assert len(told) == 4
    assert told[-1] == (path.stat().st_size,) * 2
    read_archive(path, "other", lambda done, total: told.append((done, total)))
    assert len(told) == 4


def test_a_folder_that_is_not_there_is_told_with_those_that_are(archive) -> None:
    with pytest.raises(DataError, match=r"holds no folder 'set/val'.*'other', 'set/test', 'set/train'"):
        read_archive(archive(*PLACES), "set/val")


@pytest.mark.parametrize("keep", [0, 1, 40, 200])
def test_a_cut_off_archive_leaves_nothing_behind(keep: int, archive) -> None:
    path = archive(*PLACES, side=24)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="damaged or cut off"):
        read_archive(path, "set/test")
    assert not any((cache_folder() / "arrays").iterdir())


def test_a_broken_picture_is_named_and_leaves_nothing_behind(archive) -> None:
    with pytest.raises(DataError, match=r"sets\.tar\.xz:set/test/cat/2\.png' is not a picture"):
        read_archive(archive(*PLACES, broken=PLACES[2]), "set/test")
    assert not any((cache_folder() / "arrays").iterdir())


def test_pictures_of_several_sizes_are_refused(empty_machine: Path, coded) -> None:
    path = empty_machine / "mixed.tar"
    with tarfile.open(path, "w") as tar:
        for side in (5, 6):
            member = tarfile.TarInfo(f"set/cat/{side}.png")
            member.size = len(coded(0, side))
            tar.addfile(member, io.BytesIO(coded(0, side)))
    with pytest.raises(DataError, match="2 sizes"):
        read_archive(path, "set")
