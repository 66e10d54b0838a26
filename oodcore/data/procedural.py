"""Image sets drawn by code: ten figures, look-alikes as auxiliary outliers, other figures and bare textures as OOD.

Nothing is read from disk. A picture depends on the set, the split, the seed and its index only, so splits never share
one, and the last picture can be drawn without the others. `benchmarks/procedural.py` measures what the sets are good
for: how well a small network learns them, how far the outliers are, and what imbalanced auxiliary outliers do.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Int64, UInt8

from oodcore.data._canvas import SIZE, Picture, cloth, draw
from oodcore.data._dice import Dice, stream, uniform
from oodcore.data._figures import ALIKE, INSIDE, NOVEL, Figure
from oodcore.data._textures import TEXTURES
from oodcore.data.images import ArraySet, Role, positions
from oodcore.errors import DataError, UnknownNameError
from oodcore.registry import did_you_mean

__all__ = ["SETS", "SPLITS", "Split", "procedural"]

Split = Literal["train", "calibration", "test"]
SPLITS: dict[Split, int] = {"train": 10_000, "calibration": 2_000, "test": 2_000}
"""Pictures in each split, unless asked otherwise."""

CHUNK = 64  # pictures drawn together: their grids then fit the processor's cache


class Recipe(NamedTuple):
    """What a set shows, and how it is put on a canvas."""

    role: Role
    families: Mapping[str, Figure]
    picture: Callable[[Figure, Dice], Picture]


SETS: dict[str, Recipe] = {
    "shapes": Recipe("id", INSIDE, draw),
    "shapes-aux": Recipe("auxiliary", ALIKE, draw),
    "shapes-near": Recipe("near", NOVEL, draw),
    "shapes-far": Recipe("far", TEXTURES, cloth),
}
"""`shapes-aux` has one family of look-alikes for each class of `shapes`, in the same order. No two sets share one."""


def procedural(
    name: str,
    split: Split = "test",
    *,
    count: int | None = None,
    imbalance: float = 1.0,
    seed: int = 0,
    rows: Sequence[int] | None = None,
) -> ArraySet:
    """Draw a set: 32×32, lossless, about 3,000 pictures a second.

    Args:
        name: One of `SETS`.
        split: Splits never share a picture.
        count: Number of pictures, by default that of `SPLITS`. Of balanced sets of whole tens, one begins another.
        imbalance: Pictures of the first family over those of the last, falling exponentially between; 1 is balanced.
        seed: Another seed draws other pictures of the same kind.
        rows: Numbers of the pictures that are wanted, in any order; by default all are drawn.

    Raises:
        UnknownNameError: no such set.
        DataError: no such split or picture, or a number out of its range.
    """
    if name not in SETS:
        raise UnknownNameError(did_you_mean("procedural set", name, list(SETS)))
    if split not in get_args(Split):
        raise DataError(f"The procedural sets have the splits {', '.join(SPLITS)}; got '{split}'.")
    recipe = SETS[name]
    labels = spread(family_counts(SPLITS[split] if count is None else count, len(recipe.families), imbalance))
    index = np.arange(len(labels)) if rows is None else positions(rows, len(labels)).numpy()
    labels = labels[index]
    images = render(recipe, stream(f"{name}/{split}/{seed}"), index, labels)
    classes = tuple(recipe.families)
    return ArraySet(
        torch.from_numpy(images),
        torch.from_numpy(labels),
        tuple(key_of(name, split, int(row), classes[label]) for row, label in zip(index, labels, strict=True)),
        name=called(name, imbalance),
        role=recipe.role,
        classes=classes,
    )


def key_of(name: str, split: Split, row: int, family: str) -> str:
    """What a picture is called."""
    return f"{name}/{split}/{row:05d} {family}"


def called(name: str, imbalance: float) -> str:
    """What a set is called in the catalogue."""
    return name if imbalance == 1 else f"{name}-{imbalance:g}"


def family_counts(total: int, families: int, imbalance: float) -> Int64[np.ndarray, " k"]:
    r"""Pictures per family, proportional to $r^{-c/(k-1)}$ and rounded so that they add up to `total`.

    Raises:
        DataError: `total` is below 0, or the imbalance below 1 or infinite.
    """
    if total < 0:
        raise DataError(f"A set has 0 pictures or more; got {total}.")
    if not 1 <= imbalance < float("inf"):
        raise DataError(f"The imbalance is the first family over the last: 1 or more; got {imbalance}.")
    share = imbalance ** -np.linspace(0, 1, families)
    exact = total * share / share.sum()
    counts = np.floor(exact).astype(np.int64)
    owed = total - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:owed]] += 1
    return counts


def spread(counts: Int64[np.ndarray, " k"]) -> Int64[np.ndarray, " n"]:
    """Labels in which every family recurs evenly, but in an irregular order.

    So any stretch shows the families in proportion, and so does every tenth picture, which a cycle would not.
    """
    labels = np.repeat(np.arange(len(counts)), counts)
    turn = np.concatenate([np.arange(count) for count in counts])
    jitter = uniform((labels * (1 << 32) + turn).astype(np.uint64), stream("order"))
    return labels[np.argsort((turn + jitter) / counts[labels], kind="stable")]


def render(
    recipe: Recipe, seed: int, index: Int64[np.ndarray, " n"], labels: Int64[np.ndarray, " n"]
) -> UInt8[np.ndarray, "n 3 s s"]:
    """The pictures with these numbers, each of its family."""
    images = np.empty((len(index), 3, SIZE, SIZE), np.uint8)
    for label, figure in enumerate(recipe.families.values()):
        rows = np.flatnonzero(labels == label)
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            dice = Dice(seed, index[part])
            grain = dice.between(0.01, 0.04) * dice.grain(SIZE)
            picture = recipe.picture(figure, dice) + grain[:, None]
            images[part] = np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    return images
