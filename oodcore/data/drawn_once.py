"""Whole splits of the drawn sets, drawn once and memory-mapped ever after: ten thousand pictures take seconds."""

import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import torch

from oodcore.data import _canvas, _dice, _figures, _textures, procedural
from oodcore.data.images import ArraySet
from oodcore.data.procedural import SETS, Split
from oodcore.data.roots import cache_folder, write_once
from oodcore.errors import DataError

__all__ = ["drawn_once"]

KEPT = (1.0, 10.0, 50.0, 100.0)  # imbalances; a slider has hundreds, and each train split takes 30 MB


def drawn_once(name: str, split: Split, imbalance: float = 1.0) -> ArraySet:
    """The same as `procedural`, from the user's cache where it is there, and drawn where nothing can be written."""
    if imbalance not in KEPT:
        return procedural.procedural(name, split, imbalance=imbalance)
    store = cache_folder() / "arrays" / f"{name}-{imbalance:g}-{split}-{_version()}"
    if not store.exists():
        images = procedural.procedural(name, split, imbalance=imbalance)
        with suppress(DataError, OSError), write_once(store) as partial:
            np.save(partial / "images.npy", images.images.numpy())
            np.save(partial / "labels.npy", images.labels.numpy())
        return images
    labels = torch.from_numpy(np.load(store / "labels.npy"))
    classes = tuple(SETS[name].families)
    return ArraySet(
        torch.from_numpy(np.load(store / "images.npy", mmap_mode="c")),
        labels,
        tuple(procedural.key_of(name, split, row, classes[label]) for row, label in enumerate(labels.tolist())),
        name=procedural.called(name, imbalance),
        role=SETS[name].role,
        classes=classes,
    )


@cache
def _version() -> str:
    """Of everything that decides a pixel."""
    content = hashlib.sha256(np.__version__.encode())
    for module in (_canvas, _dice, _figures, _textures, procedural):
        content.update(Path(str(module.__file__)).read_bytes())
    return content.hexdigest()[:16]
