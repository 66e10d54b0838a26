"""Small image sets made on the spot, and a machine without data or cache."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from oodcore.data import ArraySet


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No OOD_DATA, no ./data, an empty cache; gives the folder for files of the test."""
    monkeypatch.delenv("OOD_DATA", raising=False)
    monkeypatch.setenv("OOD_CACHE", str(tmp_path / "cache"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    def make(*shape: int, seed: int = 0) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)

    return make


@pytest.fixture
def coded(noise: Callable[..., np.ndarray]) -> Callable[..., bytes]:
    """A picture file's bytes."""

    def make(seed: int = 0, side: int = 32, kind: str = "PNG", **options: object) -> bytes:
        file = io.BytesIO()
        Image.fromarray(noise(side, side, 3, seed=seed)).save(file, kind, **options)
        return file.getvalue()

    return make


@pytest.fixture
def image_set(noise: Callable[..., np.ndarray]) -> Callable[..., ArraySet]:
    """`per_class` random images of each class."""

    def make(per_class: int = 4, classes: int = 3, seed: int = 0, name: str = "noise", **options: object) -> ArraySet:
        n = per_class * classes
        images = torch.from_numpy(noise(n, 3, 8, 8, seed=seed))
        labels = torch.arange(n) % classes
        keys = tuple(f"{name}/{row}" for row in range(n))
        return ArraySet(images, labels, keys, name, classes=tuple("abcdefghij"[:classes]), **options)  # type: ignore[arg-type]

    return make


@pytest.fixture
def folder_of(coded: Callable[..., bytes]) -> Callable[..., Path]:
    """Write a picture at each of these places, each another one."""

    def make(folder: Path, *places: str, side: int = 8) -> Path:
        for seed, place in enumerate(places):
            target = folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(coded(seed, side))
        return folder

    return make
