"""A run that takes a second: sixty drawn figures, thirty look-alikes, a tiny network, all on disk as one's own sets."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from oodcore.config import Experiment
from oodcore.data import ArraySet
from oodcore.data.procedural import procedural


class World(NamedTuple):
    """Two files, and experiments with them."""

    inliers: Path
    outliers: Path
    experiment: Callable[..., Experiment]


def _packed(path: Path, images: ArraySet) -> Path:
    np.savez(path, images=images.images.numpy(), labels=images.labels.numpy(), classes=np.array(images.classes))
    return path


@pytest.fixture
def packed(tmp_path: Path) -> Callable[[str, ArraySet], Path]:
    """An image set as an .npz of one's own."""
    return lambda name, images: _packed(tmp_path / f"{name}.npz", images)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("sets")
    inliers = _packed(folder / "figures.npz", procedural("shapes", "train", count=60))
    outliers = _packed(folder / "alike.npz", procedural("shapes-aux", "train", count=30))

    def experiment(**tables: Any) -> Experiment:
        """With single values of its tables replaced; a table that is None is left out."""
        plain: dict[str, Any] = {
            "title": "A small run",
            "model": {"architecture": "resnet-8-w4"},
            "data": {"inliers": str(inliers), "outliers": str(outliers), "not_tested": []},
            "loss": {"name": "energy", "margin_in": -3.0, "margin_out": -2.0},
            "train": {"steps": 3, "batch": 8, "outlier_batch": 4, "lr": 0.05},
            "validation": {"every": 2, "limit": 20},
        }
        for name, changes in tables.items():
            if changes is None:
                plain.pop(name, None)
            elif isinstance(changes, dict) and name != "loss":
                plain[name] = plain.get(name, {}) | changes
            else:
                plain[name] = changes
        return Experiment.from_json(json.loads(json.dumps(plain)))

    return World(inliers, outliers, experiment)
