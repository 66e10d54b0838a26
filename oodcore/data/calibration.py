"""The calibration split: training images that serve thresholds and p-values, and nothing else.

They are in neither the training part (which fills the bank) nor the test. Which images they are depends on the
images alone: per class, those whose content hashes smallest. So the split is the same on every machine, in every file
order, and equal images never end up on both sides.
"""

import hashlib
import math
from typing import Final, TypeVar

import torch
from jaxtyping import Bool
from torch import Tensor

from oodcore.data.images import ImageSet
from oodcore.errors import DataError

__all__ = ["SHARE", "is_calibration", "split_calibration"]

SHARE: Final = 0.05
"""Share of each class, …"""
AT_LEAST: Final = 50
"""… but at least so many of a class, and never more than half of it."""

S = TypeVar("S", bound=ImageSet)


def split_calibration(images: S) -> tuple[S, S]:
    """The training part and the calibration part.

    Of CIFAR-10's 50,000 images 2,500 calibrate (250 a class); of 2,000 images, 500.

    Raises:
        DataError: a class with fewer than two images.
    """
    chosen = is_calibration(images)
    return images.take(~chosen), images.take(chosen)


def is_calibration(images: ImageSet) -> Bool[Tensor, " n"]:
    """True where an image calibrates; stratified by class, unlabelled images never.

    Raises:
        DataError: a class with fewer than two images.
    """
    order = [_draw(identity) for identity in images.identities]
    chosen: set[str] = set()
    for label, name in enumerate(images.classes):
        draws = sorted(order[row] for row in (images.labels == label).nonzero().flatten().tolist())
        if len(draws) < 2:
            raise DataError(
                f"Class '{name}' of '{images.name}' has {len(draws)} images; calibration needs at least two a class."
            )
        chosen.update(draws[: _size(len(draws))])
    return torch.tensor([draw in chosen for draw in order], dtype=torch.bool)


def _size(n: int) -> int:
    return min(max(math.ceil(SHARE * n), AT_LEAST), n // 2)


def _draw(identity: str) -> str:
    """Hashed once more, so that no other use of the same hash chooses the same images."""
    return hashlib.blake2b(f"calibration {identity}".encode(), digest_size=16).hexdigest()
