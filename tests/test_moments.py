"""Moments of a bank against numpy, and where the usual shortcuts lose digits."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Bank, Head, Outputs, moments


def as_bank(features: Tensor, labels: Tensor, k: int = 3) -> Bank:
    head = Head(torch.zeros(k, features.shape[1]), torch.zeros(k))
    return Bank(Outputs(torch.zeros(len(features), k), features), labels, head)


@dataclass(frozen=True)
class Pieces:
    """The bank in pieces of seven rows."""

    bank: Bank

    @property
    def head(self) -> Head:
        return self.bank.head

    def __len__(self) -> int:
        return len(self.bank)

    @property
    def centers(self) -> None:
        return None

    @property
    def moments(self) -> None:
        return None

    def chunks(self, size: int = 8192) -> Iterator[Bank]:
        return self.bank.chunks(min(size, 7))


def expected(features: Tensor, labels: Tensor) -> tuple[np.ndarray, ...]:
    """In extended precision."""
    x, y = features.numpy().astype(np.longdouble), labels.numpy()
    means = np.stack([x[y == c].mean(0) for c in range(y.max() + 1)])
    within, total = x - means[y], x - x.mean(0)
    return means, x.mean(0), within.T @ within / len(x), total.T @ total / len(x)


@pytest.mark.parametrize("width", [3, 700])  # 700 is more than one block of columns
@pytest.mark.parametrize("order", ["mixed", "by class"])
@pytest.mark.parametrize("pieces", [False, True])
def test_matches_numpy(width: int, order: str, pieces: bool) -> None:
    labels = torch.randint(0, 3, (90,))
    labels = labels.sort().values if order == "by class" else labels
    features = torch.randn(90, width) + 5 * labels[:, None] + 100
    found = moments(Pieces(as_bank(features, labels)) if pieces else as_bank(features, labels))
    assert torch.equal(found.counts, labels.bincount(minlength=3))
    for value, target in zip(found[1:], expected(features, labels), strict=True):
        np.testing.assert_allclose(value, target.astype(float), rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(found.within, found.within.mT, rtol=0, atol=1e-12)


def test_narrow_classes_far_apart_keep_their_digits() -> None:
    """About one common centre the spread of 1e-4 would be 1e-16 of the products, which is rounding."""
    labels = torch.arange(300) % 3
    features = (1e4 * torch.eye(3)[labels]).double() + 1e-4 * torch.randn(300, 3, dtype=torch.float64)
    found = moments(as_bank(features, labels))
    np.testing.assert_allclose(found.within, expected(features, labels)[2].astype(float), rtol=1e-3, atol=1e-11)


def test_an_empty_class_has_no_mean_and_adds_nothing() -> None:
    labels = torch.arange(60) % 2
    features = torch.randn(60, 4)
    with_empty, without = moments(as_bank(features, labels, k=5)), moments(as_bank(features, labels, k=2))
    assert with_empty.means[2:].isnan().all()
    for field in ("mean", "within", "total"):
        assert torch.equal(getattr(with_empty, field), getattr(without, field))


@pytest.mark.parametrize(
    ("features", "labels", "sentence"),
    [
        (torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), "empty"),
        (torch.randn(6, 4), torch.tensor([0, 1, 2, -1, 0, 1]), "without a class"),
        (torch.full((6, 4), torch.nan), torch.arange(6) % 3, "NaN"),
    ],
)
def test_a_bank_without_moments_says_why(features: Tensor, labels: Tensor, sentence: str) -> None:
    with pytest.raises(ScoreError, match=sentence):
        moments(as_bank(features, labels))


@pytest.mark.gpu
def test_moments_on_the_gpu() -> None:
    bank = as_bank(torch.randn(500, 600), torch.arange(500) % 3)
    for found, target in zip(moments(bank.to("cuda")), moments(bank), strict=True):
        torch.testing.assert_close(found.cpu(), target, rtol=1e-8, atol=1e-10)
