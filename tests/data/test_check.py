import sys
from pathlib import Path

import pytest

from oodcore.data import check, image_folder
from oodcore.errors import DataError


@pytest.fixture
def textures(empty_machine: Path, folder_of) -> Path:
    """Laid out as Describable Textures; one file is broken and one is there twice."""
    folder = folder_of(empty_machine / "data/dtd/dtd/images", "banded/0.png", "banded/1.png", "woven/2.png")
    (folder / "woven/copy.png").write_bytes((folder / "banded/1.png").read_bytes())
    (folder / "woven/broken.png").write_bytes(b"no picture")
    return folder


def test_everything_is_looked_at(textures: Path) -> None:
    told: list[tuple[int, int]] = []
    (found,) = check("dtd", progress=lambda *done: told.append(done))
    assert (found.split, found.images) == ("test", 4)
    assert found.doubles == (("woven/copy.png", "banded/1.png"),)
    (sentence,) = found.broken
    assert "woven/broken.png" in sentence
    assert not found.fine
    assert told[-1] == (5, 5)


def test_every_broken_image_is_told(textures: Path) -> None:
    (textures / "banded/0.png").write_bytes(b"")
    (found,) = check(str(textures))
    assert (found.split, found.images) == ("all", 3)
    assert ["banded/0.png" in found.broken[0], "woven/broken.png" in found.broken[1]] == [True, True]


def test_a_sound_set_is_fine(textures: Path) -> None:
    (textures / "woven/broken.png").unlink()
    assert check("dtd")[0].fine


def test_images_of_an_earlier_split_are_counted(empty_machine: Path, folder_of) -> None:
    folder = folder_of(empty_machine / "own", "test/a/0.png", "test/a/1.png", "train/a/2.png", "train/a/3.png")
    (folder / "train/a/copy.png").write_bytes((folder / "test/a/1.png").read_bytes())
    test, train = check(str(folder))
    assert (test.also_in, train.also_in, train.doubles) == ({}, {"test": 1}, ())


def test_empty_classes_are_named(textures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = image_folder(textures)
    images = images.relabel(images.labels.clamp(max=0), images.classes)
    monkeypatch.setattr(sys.modules["oodcore.data.check"], "open_set", lambda *_: images)
    assert check("dtd")[0].empty_classes == ("woven",)


def test_a_missing_set_is_told(empty_machine: Path) -> None:
    with pytest.raises(DataError, match="ood data get dtd"):
        check("dtd")


@pytest.mark.slow
def test_the_lossless_cifar10_sample_is_sound(data_root: Path) -> None:
    parts = check("cifar10-clean", data_root)
    assert all(part.fine and not part.doubles and not part.also_in for part in parts)
    assert {part.split: part.images for part in parts} == {"train": 1500, "calibration": 500, "test": 1000}
