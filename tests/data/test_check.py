import sys
from dataclasses import replace
from pathlib import Path

import pytest

from oodcore.data import check, entry, image_folder
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
    found = check("dtd", progress=lambda *done: told.append(done))
    assert found.counts == {"test": 4}
    assert found.duplicates == (("test: banded/1.png", "test: woven/copy.png"),)
    (sentence,) = found.broken
    assert "woven/broken.png" in sentence
    assert not found.fine
    assert told[-1] == (5, 5)


def test_a_sound_set_is_fine(textures: Path) -> None:
    (textures / "woven/broken.png").unlink()
    assert check("dtd").fine


def test_empty_classes_are_named(textures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = image_folder(textures)
    images = images.relabel(images.labels.clamp(max=0), images.classes)
    known = replace(entry("dtd"), load=lambda *_: images)
    monkeypatch.setattr(sys.modules["oodcore.data.check"], "entry", lambda name: known)
    assert check("dtd").empty == ("test: woven",)


def test_a_missing_set_is_told(empty_machine: Path) -> None:
    with pytest.raises(DataError, match="ood data get dtd"):
        check("dtd")


@pytest.mark.slow
def test_the_lossless_cifar10_sample_is_sound(data_root: Path) -> None:
    found = check("cifar10-clean", data_root)
    assert found.fine
    assert found.counts == {"train": 1500, "calibration": 500, "test": 1000}
    assert found.duplicates == ()
