"""How good the classifier is on frequent, less frequent and rare classes of a long-tailed training set."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from oodcore.errors import ScoreError
from oodcore.metrics.inputs import Array, as_logits, as_scores

__all__ = ["TailAccuracy", "tail_accuracy", "tail_groups"]


class TailAccuracy(NamedTuple):
    """Mean accuracy per class, 0 to 1, over groups of classes; None where a group has no class with an image."""

    overall: float
    many: float | None
    medium: float | None
    few: float | None


def tail_accuracy(logits: Array, labels: Array, class_counts: Array, /) -> TailAccuracy:
    """Every class counts the same, however many test images it has; on a balanced test set that is plain accuracy.

    Args:
        logits: Shape (n, k).
        labels: Shape (n,), in 0..k-1.
        class_counts: Training images per class, shape (k,), at least 0.

    Raises:
        ScoreError: see `accuracy`, or counts that do not fit the logits.
    """
    values, truth = as_logits(logits, labels)
    counts = as_scores(class_counts, "class_counts")
    if len(counts) != values.shape[1] or (counts < 0).any():
        raise ScoreError(
            f"class_counts must be one number of training images, at least 0, for each of {values.shape[1]} classes; "
            f"got {len(counts)} numbers from {counts.min():g} on."
        )
    rows = np.bincount(truth, minlength=len(counts))
    hits = np.bincount(truth[values.argmax(axis=1) == truth], minlength=len(counts))
    shares = {c: hits[c] / rows[c] for c in range(len(counts)) if rows[c]}
    groups = [[shares[c] for c in group if c in shares] for group in tail_groups(counts)]
    means = [float(np.mean(group)) if group else None for group in groups]
    return TailAccuracy(float(np.mean(list(shares.values()))), *means)


def tail_groups(class_counts: Array, /) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
    r"""Classes with many, medium and few training images, as PASCL divides them (Wang et al., ICML 2022).

    With counts in falling order, "many" is above that of class $\lfloor 0.34\,k \rfloor$ and "few" below that of
    $\lfloor 0.67\,k \rfloor$: 0-2, 3-6 and 7-9 of CIFAR-10-LT. Equally frequent classes are all medium.

    Args:
        class_counts: Training images per class, shape (k,).

    Raises:
        ScoreError: no finite numbers.
    """
    counts = as_scores(class_counts, "class_counts")
    falling = np.sort(counts)[::-1]
    upper, lower = falling[34 * len(counts) // 100], falling[67 * len(counts) // 100]
    many, few = counts > upper, counts < lower
    return tuple(np.flatnonzero(group).tolist() for group in (many, ~many & ~few, few))  # type: ignore[return-value]
