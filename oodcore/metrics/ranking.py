"""How well scores rank OOD above ID: AUROC, AUPR, FPR at a recall, detection error.

Exact by integer counting, ties merged into one threshold. Scores are HIGHER = MORE OUT-OF-DISTRIBUTION; with
`positive="id"` they are read from the other end, which is the same as negating them and naming ID the found class.
"""

from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float64, Int64

from oodcore.errors import ScoreError
from oodcore.metrics.inputs import Array, exact_share
from oodcore.metrics.levels import Curve, Positive, count_levels, curve

__all__ = ["Interpolation", "Rule", "area", "aupr", "auroc", "average_precision", "detection_error", "error"]
__all__ += ["false_alarms", "fpr_at_recall"]

Rule: TypeAlias = Literal["first", "nearest"]
Interpolation: TypeAlias = Literal["step", "trapezoid"]


def auroc(id_scores: Array, ood_scores: Array) -> float:
    r"""$P(s_{ood} > s_{id}) + \frac12 P(s_{ood} = s_{id})$, 0 to 1; the same whichever class is positive.

    Args:
        id_scores: Shape (n,).
        ood_scores: Shape (m,).

    Raises:
        ScoreError: a side is empty, not one-dimensional, or holds NaN, infinity or booleans.
    """
    return area(curve(count_levels(id_scores, ood_scores), "ood"))


def aupr(
    id_scores: Array, ood_scores: Array, positive: Positive = "ood", interpolation: Interpolation = "step"
) -> float:
    r"""Area under precision over recall, 0 to 1. It depends on the OOD share: state it beside the value.

    Args:
        id_scores: Shape (n,).
        ood_scores: Shape (m,).
        positive: The class that precision and recall speak of; "ood" is the literature's AUPR-Out.
        interpolation: "step" is average precision, $\sum_i (R_i - R_{i-1}) P_i$. "trapezoid" joins the points by
            lines from (0, 1) on and flatters ties: a constant score gets 0.75 instead of 0.5.

    Raises:
        ScoreError: see `auroc`; or an unknown option.
    """
    return average_precision(curve(count_levels(id_scores, ood_scores), positive), interpolation)


def fpr_at_recall(
    id_scores: Array, ood_scores: Array, recall: float = 0.95, positive: Positive = "ood", rule: Rule = "first"
) -> float:
    """Share of the other class that is taken for `positive` when `recall` of `positive` is found; 0 is best.

    With "ood" positive: share of ID flagged when 95 % of OOD is caught (OpenOOD, PASCL). With "id" positive: share of
    OOD passed when 95 % of ID is kept (energy_ood, ODIN). On one score set the two were 17.8 % and 88.0 %.

    Args:
        id_scores: Shape (n,).
        ood_scores: Shape (m,).
        recall: Above 0, at most 1.
        positive: The class that is to be found.
        rule: "first" takes the first threshold that finds `ceil(recall · P)` positives, in integers. "nearest" takes
            the recall nearest to the asked one, in floats, from full recall downwards, as energy_ood and its
            descendants do: for comparison with their numbers only.

    Raises:
        ScoreError: see `auroc`; or an unknown option.
    """
    return false_alarms(curve(count_levels(id_scores, ood_scores), positive), recall, rule)


def detection_error(id_scores: Array, ood_scores: Array) -> float:
    """Smallest mean of the two error rates over all thresholds, ½(missed OOD + flagged ID): 0 is best, ½ is chance.

    Raises:
        ScoreError: see `auroc`.
    """
    return error(curve(count_levels(id_scores, ood_scores), "ood"))


def area(points: Curve, /) -> float:
    """AUROC of a curve."""
    hits, alarms = points
    twice = int(np.diff(alarms, prepend=0) @ (hits + _before(hits)))
    return twice / (2 * int(hits[-1]) * int(alarms[-1]))


def average_precision(points: Curve, interpolation: Interpolation, /) -> float:
    """AUPR of a curve."""
    precision = points.hits / (points.hits + points.alarms)
    if interpolation == "trapezoid":
        precision = (precision + np.concatenate([[1.0], precision[:-1]])) / 2
    elif interpolation != "step":
        raise ScoreError(f"interpolation must be 'step' or 'trapezoid'; got {interpolation!r}.")
    return float((np.diff(points.hits, prepend=0) / points.hits[-1] * precision).sum())


def false_alarms(points: Curve, recall: float, rule: Rule, /) -> float:
    """FPR of a curve at the threshold that the rule picks."""
    if rule == "first":
        asked = exact_share(recall, "recall")
        needed = -(-asked.numerator * int(points.hits[-1]) // asked.denominator)  # ceil, without a float
        at = int(np.searchsorted(points.hits, needed))
    elif rule == "nearest":
        at = _nearest(points, float(exact_share(recall, "recall")))
    else:
        raise ScoreError(f"rule must be 'first' or 'nearest'; got {rule!r}.")
    return int(points.alarms[at]) / int(points.alarms[-1])


def error(points: Curve, /) -> float:
    """Detection error of a curve; flagging nothing is as wrong as flagging everything, its last point."""
    p, n = int(points.hits[-1]), int(points.alarms[-1])
    missed = (p - points.hits) * n + points.alarms * p
    return int(missed.min()) / (2 * p * n)


def _nearest(points: Curve, recall: float) -> int:
    last = int(np.searchsorted(points.hits, points.hits[-1]))
    gap: Float64[np.ndarray, " levels"] = np.abs(points.hits[: last + 1] / points.hits[-1] - recall)
    return last - int(np.argmin(gap[::-1]))  # among equal gaps the lowest threshold wins


def _before(counts: Int64[np.ndarray, " levels"]) -> Int64[np.ndarray, " levels"]:
    return np.concatenate([[0], counts[:-1]])
