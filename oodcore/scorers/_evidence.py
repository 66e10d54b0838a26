"""What a fit may count on: some rows, each of a known class, every number finite."""

from collections.abc import Iterator

import torch
from jaxtyping import Float64
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Bank, Evidence

VALUES = 2**23
"""Values that are held at once; below it nothing is left out. 64 MB in float64."""


def given(bank: Evidence | None, /) -> Evidence:
    """The bank.

    Raises:
        ScoreError: there is none, or it is empty.
    """
    if bank is None:
        raise ScoreError("This scorer learns from in-distribution outputs. Pass it a bank, as from oodcore.collect.")
    if len(bank) == 0:
        raise ScoreError("The bank is empty. Collect at least one in-distribution image.")
    return bank


def pieces(bank: Evidence | None, /) -> Iterator[Bank]:
    """The bank's chunks, each one checked.

    Raises:
        ScoreError: no bank, no rows, rows without a class, or a value that is not finite.
    """
    for part in given(bank).chunks():
        if bool((part.labels < 0).any()):
            raise ScoreError("The bank holds rows without a class. Fit on the in-distribution training set.")
        if not bool(part.outputs.logits.isfinite().all() & part.outputs.features.isfinite().all()):
            raise ScoreError("The bank holds NaN or infinite outputs. Check the weights and the preprocessing.")
        yield part


def sampled(bank: Evidence | None, width: int, limit: int = VALUES) -> Iterator[Bank]:
    """Every s-th row, so that at most `limit` values of `width` per row remain; s = 1 where all of them fit.

    A fixed stride touches every stretch of a bank that is sorted by class, and repeats.
    """
    stride, start = max(1, -(-len(given(bank)) * width // limit)), 0
    for part in pieces(bank):
        yield part.take(torch.arange(-start % stride, len(part), stride, device=part.labels.device))
        start += len(part)


def pooled_quantiles(bank: Evidence | None, levels: tuple[float, ...]) -> tuple[float, ...]:
    """Quantiles of all feature values together, linear between neighbours; exact up to `VALUES` values."""
    width = given(bank).head.weight.shape[1]
    values = torch.cat([part.outputs.features.double().flatten() for part in sampled(bank, width)])
    return tuple(quantile(values, level) for level in levels)


def quantile(values: Float64[Tensor, " n"], level: float, /) -> float:
    """By selection: `torch.quantile` sorts, and refuses more than 2**24 values."""
    place = level * (len(values) - 1)
    below = int(place)
    low, high = (float(values.kthvalue(min(k, len(values)))[0]) for k in (below + 1, below + 2))
    return low + (place - below) * (high - low)
