"""Scores → a decision with its guarantee, from a calibration split that no fit and no reported number has seen.

Split conformal prediction: Vovk, Gammerman & Shafer, 2005; Bates et al., Annals of Statistics 2023 (conformal
p-values for outliers). Everything follows from one fact: among n exchangeable ID scores a further one is equally
likely to take each of the n + 1 ranks, so no distribution needs to be assumed.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.metrics.inputs import Array, as_scores, exact_share

__all__ = ["Calibration", "rows_needed"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """ID scores that a new score is compared with. HIGHER = MORE OUT-OF-DISTRIBUTION.

    Args:
        scores: Shape (n,), any order and device; kept sorted, in float64, on that device.

    Raises:
        ScoreError: not one-dimensional, empty, or NaN, infinite or boolean scores.
    """

    scores: Float64[Tensor, " n"]

    def __init__(self, scores: Array, /) -> None:
        device = scores.device if isinstance(scores, Tensor) else None
        values = torch.from_numpy(np.sort(as_scores(scores, "calibration scores")))
        object.__setattr__(self, "scores", values.to(device))

    def __len__(self) -> int:
        return len(self.scores)

    def threshold(self, acceptance: float = 0.95) -> float:
        r"""The $\lceil (n+1)\,acceptance \rceil$-th smallest calibration score.

        A new ID score lies above it with probability at most $1 - acceptance$, whatever the distribution and its ties.

        Raises:
            ScoreError: `acceptance` is outside (0, 1), or asks for more scores than there are.
        """
        return float(self.scores[self._rank(acceptance) - 1])

    def is_ood(self, scores: Array, acceptance: float = 0.95) -> Bool[Tensor, " m"]:
        """`score > threshold`, the same as `p_value <= 1 - acceptance`.

        Raises:
            ScoreError: see `threshold`; or NaN or infinite scores.
        """
        return self._alike(scores) > self.threshold(acceptance)

    def p_values(self, scores: Array) -> Float64[Tensor, " m"]:
        r"""Conformal p-values $\frac{1 + \#\{calibration \ge s\}}{n+1}$; for ID, $P(p \le \alpha) \le \alpha$.

        Raises:
            ScoreError: not one-dimensional, or NaN, infinite or boolean scores.
        """
        values = self._alike(scores)
        below = torch.searchsorted(self.scores.to(values.device), values)
        return (1 + len(self) - below).double() / (len(self) + 1)

    def false_alarms(self, acceptance: float = 0.95, level: float = 0.95) -> tuple[float, float]:
        """Range of the long-run false-alarm rate of *this* threshold, for continuous scores.

        The rate is Beta(n + 1 - r, r) distributed over calibration draws, r the threshold's rank; the range holds
        `level` of it. With ties the rate can only be lower.

        Raises:
            ScoreError: see `threshold`.
        """
        from scipy.special import betaincinv  # 0.1 s

        rank, n = self._rank(acceptance), len(self)
        tail = (1 - level) / 2
        low, high = (float(betaincinv(n + 1 - rank, rank, end)) for end in (tail, 1 - tail))
        return low, high

    def guarantee(self, acceptance: float = 0.95) -> str:
        """What may be promised to a person who reads a decision."""
        low, high = self.false_alarms(acceptance)
        return (
            f"Of pictures drawn like the {len(self):,} calibration pictures, at most {1 - acceptance:.2%} are called "
            f"out-of-distribution, on average over calibration sets; with this one, between {low:.2%} and {high:.2%} "
            "(95% sure). Nothing is promised about how many out-of-distribution pictures are caught."
        )

    def _rank(self, acceptance: float) -> int:
        share, n = _open_share(acceptance), len(self)
        rank = math.ceil((n + 1) * share)
        if rank > n:
            raise ScoreError(
                f"Keeping {float(acceptance):.6g} of ID needs at least {rows_needed(acceptance)} calibration scores; "
                f"there are {n}. Calibrate on more images, or ask for at most {n / (n + 1):.4g}."
            )
        return rank

    def _alike(self, scores: Array) -> Float64[Tensor, " m"]:
        device = scores.device if isinstance(scores, Tensor) else self.scores.device
        return torch.from_numpy(as_scores(scores, "scores", least=0)).to(device)


def rows_needed(acceptance: float, /) -> int:
    r"""Fewest calibration scores for which a threshold exists, $\lceil a / (1 - a) \rceil$: 19 for 0.95, 99 for 0.99.

    Raises:
        ScoreError: `acceptance` is outside (0, 1).
    """
    share = _open_share(acceptance)
    return math.ceil(share / (1 - share))


def _open_share(acceptance: Any) -> Fraction:
    share = exact_share(acceptance, "acceptance")
    if share == 1:
        raise ScoreError("acceptance must be below 1: no finite calibration set can promise to keep every ID image.")
    return share
