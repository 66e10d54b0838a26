r"""Into which classes auxiliary outliers fall: the prior of balanced energy (Choi et al., CVPR 2023, arXiv:2306.10485).

$\pi_i \propto$ the number of outliers whose largest logit, under the network before fine-tuning, is class $i$.
Tempered, $\pi^{(\gamma)}_i = \pi_i^\gamma / \sum_j \pi_j^\gamma$: γ = 0 is uniform, 1 the prior, above 1 sharper.
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.metrics.inputs import Array
from oodcore.records import Bank, Outputs

__all__ = ["log_shares", "logit_adjust", "majority", "outlier_counts", "softmax_average", "temper"]

Chunk: TypeAlias = Tensor | Outputs | Bank
"""Logits (n, k), or a record that holds them."""


def outlier_counts(outliers: Chunk | Iterable[Chunk]) -> Int64[Tensor, " k"]:
    """How many outliers the network assigns to each class, by the largest logit (the first among equals).

    Args:
        outliers: Logits of shape (n, k), `Outputs`, a `Bank`, or any number of them, as `bank.chunks()`.

    Raises:
        ScoreError: no outliers, or logits that are not (n, k), not finite, or of another number of classes.
    """
    total: Tensor | None = None
    for logits in _logits(outliers):
        counts = logits.argmax(dim=1).bincount(minlength=logits.shape[1])
        total = counts if total is None else total + counts
    return _some(total)


def softmax_average(outliers: Chunk | Iterable[Chunk]) -> Float64[Tensor, " k"]:
    """Mean softmax of the outliers: the smoother estimate that the published priors do *not* use, for comparison.

    Args:
        outliers: See `outlier_counts`.

    Raises:
        ScoreError: see `outlier_counts`.
    """
    total: Tensor | None = None
    for logits in _logits(outliers):
        mass = logits.double().softmax(dim=1).sum(dim=0)
        total = mass if total is None else total + mass
    total = _some(total)
    return total / total.sum()


def temper(counts: Array, gamma: float, *, zero_stays_zero: bool = False) -> Float64[Tensor, " k"]:
    r"""$\pi^{(\gamma)}$, which sums to 1, on the device of `counts`.

    Args:
        counts: Counts or a prior, shape (k,), in any positive scale.
        gamma: At least 0. The release's script values are 0.005 to 3.
        zero_stays_zero: At γ = 0 an empty class gets weight $0^0 = 1$ as in the released code, so the result is
            uniform over all classes and jumps there. True keeps it at 0 instead: uniform over the classes seen.

    Raises:
        ScoreError: counts that are no numbers, negative, all zero or not finite, or such a gamma.
    """
    if not 0 <= gamma < float("inf"):
        raise ScoreError(f"gamma must be 0 or more; got {gamma}. 0 is uniform, 1 is the prior itself.")
    values = _positive(counts)
    weights = (values / values.max()).pow(gamma)
    if zero_stays_zero:
        weights = weights.where(values > 0, 0.0)
    return weights / weights.sum()


def majority(logits: Float[Tensor, "*rows k"], prior: Float[Tensor, " k"]) -> Float[Tensor, "*rows"]:
    r"""$Z(x) = \sum_i \mathrm{softmax}_i(f(x))\, \pi_i$: how much a sample looks like classes that outliers crowd.

    Between the smallest and the largest prior. Differentiable; nothing is detached.
    """
    return logits.softmax(dim=-1) @ prior.to(logits)


def log_shares(counts: Array) -> Float64[Tensor, " k"]:
    r"""$\log p$, with each class's share $p$ of the images, on the device of `counts`.

    Args:
        counts: Images per class, shape (k,), in any positive scale.

    Raises:
        ScoreError: a class without images, or counts that are no numbers, negative or not finite.
    """
    values = _positive(counts)
    if empty := (values == 0).nonzero().flatten().tolist():
        raise ScoreError(f"Every class needs an image, as log 0 has no value; without one: {empty}. Leave them out.")
    return (values / values.sum()).log()


def logit_adjust(logits: Float[Tensor, "*rows k"], counts: Array, tau: float = 1.0) -> Float[Tensor, "*rows k"]:
    r"""$f - \tau \log p$: at test time, what a long-tailed training set taught about frequency is taken out again.

    After plain cross-entropy, that is; `LogitAdjusted` has done it in training (Menon et al., arXiv:2007.07314, eq. 9).

    Args:
        logits: Of any shape, classes last.
        counts: Training images per class, shape (k,), in any positive scale.
        tau: At least 0; 0 changes nothing, 1 aims at the balanced error.

    Raises:
        ScoreError: a negative tau, a class without images, or counts of another number of classes.
    """
    if not 0 <= tau < float("inf"):
        raise ScoreError(f"tau must be 0 or more; got {tau}. 0 changes nothing, 1 aims at the balanced error.")
    shares = log_shares(counts)
    if len(shares) != logits.shape[-1]:
        raise ScoreError(f"Counts are of {len(shares)} classes, logits of {logits.shape[-1]}: not one network.")
    return logits - tau * shares.to(logits)


def _logits(source: Chunk | Iterable[Chunk]) -> Iterator[Float[Tensor, "n k"]]:
    chunks = [source] if isinstance(source, Tensor | Outputs | Bank) else source
    classes: int | None = None
    for chunk in chunks:
        logits = _unpack(chunk)
        if logits.ndim != 2 or not logits.is_floating_point() or not logits.shape[1]:
            raise ScoreError(
                f"Outlier logits must be floats of shape (n, k); got {tuple(logits.shape)} of {logits.dtype}."
            )
        if classes not in (None, logits.shape[1]):
            raise ScoreError(f"One chunk has {logits.shape[1]} classes, an earlier one {classes}: not one network.")
        if not bool(logits.isfinite().all()):
            raise ScoreError("Outlier logits hold NaN or infinity. Check the weights and the preprocessing.")
        classes = logits.shape[1]
        yield logits


def _unpack(chunk: Chunk) -> Tensor:
    if isinstance(chunk, Bank):
        chunk = chunk.outputs
    return chunk.logits if isinstance(chunk, Outputs) else chunk


def _some(total: Tensor | None) -> Tensor:
    if total is None or not bool(total.sum() > 0):
        raise ScoreError("There are no outliers to count. Give at least one auxiliary image.")
    return total


def _positive(numbers: Array) -> Float64[Tensor, " k"]:
    try:
        counts = torch.as_tensor(numbers)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ScoreError("Counts must be one number per class, shape (k,). Some of these are no numbers.") from None
    if counts.ndim != 1 or not len(counts) or counts.dtype == torch.bool or counts.is_complex():
        raise ScoreError(
            f"Counts must be one number per class, shape (k,); got {tuple(counts.shape)} of {counts.dtype}."
        )
    values = counts.double()
    if not bool(values.isfinite().all()) or bool((values < 0).any()):
        raise ScoreError("Counts must be 0 or more and finite. Count outliers per class with outlier_counts.")
    if not bool(values.any()):
        raise ScoreError("All counts are zero, so there is no prior. Count at least one outlier.")
    return values
