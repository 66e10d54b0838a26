"""What a metric accepts: NumPy arrays or tensors of any device; everything else is told in a sentence."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from oodcore.errors import ScoreError

__all__ = ["Array", "as_logits", "as_scores", "exact_share"]

Array: TypeAlias = np.ndarray | Tensor | Sequence[Any]
"""Numbers of any real type, on any device."""


def as_scores(values: Array, name: str, /, *, least: int = 1) -> Float64[np.ndarray, " n"]:
    """One finite float64 per sample; float64 holds every float16, bfloat16 and float32, so ties stay ties.

    Raises:
        ScoreError: not one-dimensional, fewer than `least`, not real numbers, NaN or infinite.
    """
    array = _as_numpy(values, name)
    if array.ndim != 1:
        raise ScoreError(f"{name} must hold one score per sample, shape (n,); got shape {array.shape}. Flatten it.")
    if len(array) < least:
        raise ScoreError(f"{name} is empty; at least one score is needed.")
    return _finite(array, name)


def as_logits(logits: Array, labels: Array, /) -> tuple[Float64[np.ndarray, "n k"], Int64[np.ndarray, " n"]]:
    """Class scores and true classes.

    Raises:
        ScoreError: shapes do not match, there are no rows, or a label has no logit.
    """
    array, truth = _as_numpy(logits, "logits"), _as_numpy(labels, "labels")
    if array.ndim != 2 or truth.shape != array.shape[:1] or not array.size:
        raise ScoreError(
            f"Expected logits of shape (n, k) and labels of shape (n,), n > 0; got {array.shape} and {truth.shape}."
        )
    if truth.dtype.kind not in "iu":
        raise ScoreError(f"labels must be whole numbers, the index of the class; got {truth.dtype}.")
    low, high = int(truth.min()), int(truth.max())
    if low < 0 or high >= array.shape[1]:
        raise ScoreError(
            f"labels must lie in 0..{array.shape[1] - 1}; got {low}..{high}. Leave out rows that belong to no class."
        )
    return _finite(array, "logits"), truth.astype(np.int64)


def exact_share(value: float, name: str, /) -> Fraction:
    """The decimal that was written, so that 95 % of 20 is 19 and not 19.000000000000004.

    Raises:
        ScoreError: not above 0 and at most 1.
    """
    if not 0 < value <= 1:
        raise ScoreError(f"{name} must lie above 0 and at most at 1; got {value}.")
    return Fraction(repr(float(value)))


def _as_numpy(values: Array, name: str) -> np.ndarray:
    if isinstance(values, Tensor):
        values = values.detach()
        values = (values.to(torch.float64) if values.is_floating_point() else values).cpu().numpy()
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ScoreError(f"{name} must be real numbers; got {array.dtype}.")
    return array


def _finite(array: np.ndarray, name: str) -> Float64[np.ndarray, "*shape"]:
    array = array.astype(np.float64)
    if broken := int((~np.isfinite(array)).sum()):
        raise ScoreError(
            f"{broken} of {array.size} values in {name} are NaN or infinite and have no rank. "
            "Check the network's weights and the preprocessing."
        )
    return array
