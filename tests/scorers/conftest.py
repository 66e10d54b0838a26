"""A small world in which the right answer is known.

Sixteen ReLU-like features, four classes. Each class lights three units of its own; four units stay almost dark in
distribution and are where the outliers shine, faintly. The head reads the class units. So outliers are less
energetic, less certain, off the classes' subspace, and far from every neighbour and centre.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from oodcore.records import Bank, Evidence, Head, Moments, Outputs, moments

CLASSES, UNITS, OWN = 4, 16, 3


class World(NamedTuple):
    """Training evidence, and rows to be told apart."""

    bank: Bank
    inliers: Outputs
    outliers: Outputs


@dataclass(frozen=True)
class ChunksOnly:
    """Evidence as a bank on disk offers it: pieces, the head, centres, moments, a length; never all rows at once."""

    bank: Bank

    @property
    def head(self) -> Head:
        return self.bank.head

    @property
    def centers(self) -> Tensor | None:
        return self.bank.centers

    @cached_property
    def moments(self) -> Moments:
        return moments(self)

    def __len__(self) -> int:
        return len(self.bank)

    def chunks(self, size: int = 8192) -> Iterator[Bank]:
        return self.bank.chunks(min(size, 37))


def known_world(rows: int = 240, *, dtype: torch.dtype = torch.float32, seed: int = 0) -> World:
    """`rows` of the bank and as many of each test set; classes take turns."""
    draw = torch.Generator().manual_seed(seed)
    directions = torch.zeros(CLASSES, UNITS, dtype=dtype)
    for label in range(CLASSES):
        directions[label, OWN * label : OWN * (label + 1)] = torch.tensor([3.0, 4.0, 5.0])
    head = Head(0.5 * directions - 0.1, 0.1 * torch.arange(CLASSES, dtype=dtype))
    labels = torch.arange(rows) % CLASSES

    def inlying() -> Tensor:
        return (directions[labels] + 0.3 + 0.4 * torch.randn(rows, UNITS, generator=draw, dtype=dtype)).relu()

    def outlying() -> Tensor:
        faint = torch.full((UNITS,), 0.2, dtype=dtype)
        faint[CLASSES * OWN :] = 2.5
        return (faint + 0.3 * torch.randn(rows, UNITS, generator=draw, dtype=dtype)).relu()

    projection = torch.randn(UNITS, 6, generator=draw, dtype=dtype) / 4

    def outputs(features: Tensor) -> Outputs:
        size = features.norm(dim=1, keepdim=True)
        norms = size * torch.tensor([0.1, 0.5, 0.3], dtype=dtype)
        return Outputs(head(features), features, norms, features @ projection)

    known, fresh, strange = outputs(inlying()), outputs(inlying()), outputs(outlying())
    assert known.embeddings is not None
    centers = torch.stack([known.embeddings[labels == label].mean(0) for label in range(CLASSES)])
    return World(Bank(known, labels, head, centers), fresh, strange)


@pytest.fixture(scope="session")
def world() -> World:
    """The known world in float32, as a network would give it."""
    return known_world()


@pytest.fixture(scope="session")
def fine_world() -> World:
    """The known world in float64, for comparisons to the last digit."""
    return known_world(dtype=torch.float64)


@pytest.fixture(scope="session")
def in_pieces() -> Callable[[Bank], Evidence]:
    """The same evidence in chunks of 37 rows, with nothing that a bank on disk would lack."""
    return ChunksOnly


@pytest.fixture(scope="session")
def peers() -> ModuleType:
    """pytorch-ood's detectors: an independent implementation to compare with, where it is right."""
    from pytorch_ood import detector

    return detector


@pytest.fixture(scope="session")
def as_maps() -> Callable[[Tensor], Tensor]:
    """Features as maps of one pixel, on which shaping before and after pooling is the same."""
    return lambda features: features[:, :, None, None]
