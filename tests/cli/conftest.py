"""A small world on disk: an ID set with train and test, an OOD set, photographs, a fitted checkpoint."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from oodcore.checkpoint import Card, save
from oodcore.cli import ood
from oodcore.data.procedural import SETS, SPLITS
from oodcore.models import build

CLASSES = ("cat", "dog", "ship")


class World(NamedTuple):
    root: Path
    checkpoint: Path
    fitted: Path
    pets: Path
    far: Path
    photo: Path


def _call(*words: object) -> Result:
    return CliRunner().invoke(ood, [str(word) for word in words])


@pytest.fixture(scope="session")
def call() -> Callable[..., Result]:
    """`call("data", "list")` in this process."""
    return _call


def draw(folder: Path, n: int, dice: np.random.Generator, size: int = 32) -> None:
    folder.mkdir(parents=True)
    for index in range(n):
        Image.fromarray(dice.integers(0, 256, (size, size, 3), dtype=np.uint8)).save(folder / f"{index}.png")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("world")
    dice = np.random.default_rng(0)
    for split, n in (("train", 50), ("test", 12)):
        for name in CLASSES:
            draw(root / "pets" / split / name, n, dice)
    draw(root / "far" / "noise", 20, dice)
    draw(root / "photos", 1, dice, size=70)
    torch.manual_seed(0)
    model = build("resnet-20-w4", CLASSES).eval()
    checkpoint = save(root / "plain", model, Card.of(model, title="A small one"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OOD_CACHE", str(root / "cache"))
        words = "--scorers", "energy,msp,knn", "--scorers", "odin", "--ood", root / "far", "--out", root / "fitted"
        result = _call("fit", checkpoint, "--id", root / "pets", *words)
    assert result.exit_code == 0, result.output
    return World(root, checkpoint, root / "fitted", root / "pets", root / "far", root / "photos" / "0.png")


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OOD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("OOD_DATA", raising=False)


@pytest.fixture
def shapes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A checkpoint that has learned nothing of the drawn shapes; a folder to run in; few of their pictures."""
    for split, n in (("train", 100), ("calibration", 30), ("test", 30)):
        monkeypatch.setitem(SPLITS, split, n)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(1)
    model = build("resnet-20-w4", tuple(SETS["shapes"].families)).eval()
    return save(tmp_path / "start", model, Card.of(model, title="The start"))
