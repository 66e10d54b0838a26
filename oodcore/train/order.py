"""Which images make up a step. Everything follows from the seed and the step's number, so nothing needs to be kept."""

import hashlib
from collections.abc import Callable
from functools import lru_cache

import torch
from jaxtyping import Int64
from torch import Tensor

from oodcore.data import ArraySet
from oodcore.errors import DataError

__all__ = ["batches_of", "generator_of", "rows_of"]


def generator_of(*about: object) -> torch.Generator:
    """A source of randomness that depends on `about` alone, as `generator_of(seed, "crops", step)`."""
    digest = hashlib.blake2b(repr(about).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)


def batches_of(images: ArraySet, size: int) -> int:
    """Full batches in one sweep.

    Raises:
        DataError: not one batch of this size can be filled.
    """
    if not 1 <= size <= len(images):
        raise DataError(
            f"A batch of {size} does not fit '{images.name}' with its {len(images)} images. Choose a smaller batch."
        )
    return len(images) // size


def rows_of(images: ArraySet, size: int, seed: int, stream: str) -> Callable[[int], Int64[Tensor, " size"]]:
    """Step number → row numbers. Every sweep is a new order, without what fills no batch; sweeps follow each other.

    Args:
        images: In memory.
        size: Rows per step.
        seed: Of the run.
        stream: Keeps inliers and outliers apart.

    Raises:
        DataError: see `batches_of`.
    """
    n, full = len(images), batches_of(images, size)

    @lru_cache(maxsize=1)
    def order(sweep: int) -> Tensor:
        return torch.randperm(n, generator=generator_of(seed, stream, sweep))

    def rows(step: int) -> Tensor:
        sweep, place = divmod(step, full)
        return order(sweep)[place * size : (place + 1) * size]

    return rows
