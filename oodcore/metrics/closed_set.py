"""How good the classifier is on its own classes: accuracy and calibration."""

import numpy as np

from oodcore.errors import ScoreError
from oodcore.metrics.inputs import Array, as_logits

__all__ = ["accuracy", "ece"]


def accuracy(logits: Array, labels: Array, /) -> float:
    """Share of rows whose largest logit is the label's, 0 to 1; among equal logits the first class is predicted.

    Args:
        logits: Shape (n, k).
        labels: Shape (n,), in 0..k-1.

    Raises:
        ScoreError: shapes do not match, a label has no logit, or a logit is NaN or infinite.
    """
    values, truth = as_logits(logits, labels)
    return float((values.argmax(axis=1) == truth).mean())


def ece(logits: Array, labels: Array, /, bins: int = 15) -> float:
    r"""Expected calibration error, $\sum_b \frac{n_b}{n} |acc_b - conf_b|$, 0 to 1 (Guo et al., ICML 2017, eq. 5).

    Confidence is the largest softmax probability; bins are equally wide and closed on the right,
    $(\frac{b-1}B, \frac bB]$. Biased upwards where bins hold few rows.

    Args:
        logits: Shape (n, k).
        labels: Shape (n,), in 0..k-1.
        bins: $B \ge 1$.

    Raises:
        ScoreError: see `accuracy`; or fewer than one bin.
    """
    if bins < 1:
        raise ScoreError(f"bins must be at least 1; got {bins}.")
    values, truth = as_logits(logits, labels)
    shifted = values - values.max(axis=1, keepdims=True)
    confidence = 1 / np.exp(shifted).sum(axis=1)
    surplus = confidence - (values.argmax(axis=1) == truth)
    bin_of = np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    return float(np.abs(np.bincount(bin_of, surplus)).sum() / len(truth))
