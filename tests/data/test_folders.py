import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from oodcore.data import cache_folder, image_folder
from oodcore.data.folders import split_folders
from oodcore.errors import DataError

DIVIDED = ("train/cat/0.png", "train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "test/dog/4.png")


@pytest.fixture(params=["folder", "w", "w:gz", "w:bz2", "w:xz", "wrapped"])
def place(request: pytest.FixtureRequest, tmp_path: Path, folder_of, monkeypatch) -> Callable[..., Path]:
    """The same pictures as a folder, and as an archive of every kind."""
    monkeypatch.setenv("OOD_CACHE", str(tmp_path / "cache"))

    def make(*places: str) -> Path:
        folder = folder_of(tmp_path / "zoo", *places)
        if request.param == "folder":
            return folder
        path = tmp_path / "zoo.tar.any"
        with tarfile.open(path, "w" if request.param == "wrapped" else request.param) as tar:
            tar.add(folder, "zoo" if request.param == "wrapped" else ".")
        return path

    return make


def test_sub_folders_are_the_classes(place: Callable[..., Path]) -> None:
    images = image_folder(place("cat/b.png", "cat/a.jpg", "dog/deep/er/c.webp"))
    assert images.name == "zoo"
    assert images.classes == ("cat", "dog")
    assert images.keys == ("cat/a.jpg", "cat/b.png", "dog/deep/er/c.webp")
    assert images.labels.tolist() == [0, 0, 1]


def test_pictures_without_a_folder_have_no_class(place: Callable[..., Path]) -> None:
    images = image_folder(place("b.png", "a.PNG", "dog/c.png"))
    assert (images.classes, images.labels.tolist()) == (("dog",), [-1, -1, 0])


def test_a_part_is_taken_where_it_is_asked_for(place: Callable[..., Path]) -> None:
    path = place(*DIVIDED)
    assert split_folders(path) == ("test", "train")
    test = image_folder(path, "test")
    assert (test.keys, test.classes) == (("cat/3.png", "dog/4.png"), ("cat", "dog"))
    assert image_folder(path).classes == ("test", "train")
    with pytest.raises(DataError, match="no folder 'val' with pictures; it holds test, train"):
        image_folder(path, "val")


def test_what_is_no_picture_is_passed_over(place: Callable[..., Path]) -> None:
    images = image_folder(place("cat/a.png", "cat/notes.txt", ".hidden/b.png", "cat/._a.png"))
    assert images.keys == ("cat/a.png",)


def test_a_folder_without_pictures_is_told(place: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="holds no picture"):
        image_folder(place("notes.txt"))


def test_an_undivided_folder_has_no_parts(place: Callable[..., Path]) -> None:
    path = place("cat/a.png", "test/b.png")
    assert split_folders(path) == ()
    with pytest.raises(DataError, match="it is not divided"):
        image_folder(path, "train")


def test_archives_and_folders_hold_the_same(tmp_path: Path, folder_of, monkeypatch) -> None:
    monkeypatch.setenv("OOD_CACHE", str(tmp_path / "cache"))
    folder = folder_of(tmp_path / "zoo", *DIVIDED)
    with tarfile.open(tmp_path / "zoo.tgz", "w:gz") as tar:
        tar.add(folder, "zoo")
    packed, plain = image_folder(tmp_path / "zoo.tgz", "train"), image_folder(folder, "train")
    assert packed.digest == plain.digest
    assert all(torch.equal(a.image, b.image) for a, b in zip(packed, plain, strict=True))
    assert [path.name for path in folder.parent.iterdir() if path.is_dir()].sort() == ["cache", "zoo"].sort()


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"\x1f\x8b\x08 cut off", b"\xfd7zXZ\0 cut off"])
def test_what_is_no_archive_is_refused_and_leaves_nothing_behind(content: bytes, empty_machine: Path) -> None:
    path = empty_machine / "set.tar.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"no tar archive, or damaged|holds no picture"):
        image_folder(path)
    assert not list((cache_folder() / "tars").glob("*"))


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no folder or archive"):
        image_folder(tmp_path / "gone")
