"""Every rank metric of one pair of score sets, with the convention beside the values."""

from oodcore.metrics.inputs import Array
from oodcore.metrics.levels import Levels, count_levels, curve
from oodcore.metrics.ranking import Interpolation, Rule, area, average_precision, error, false_alarms

__all__ = ["measure", "ood_metrics"]


def ood_metrics(
    id_scores: Array,
    ood_scores: Array,
    *,
    recall: float = 0.95,
    rule: Rule = "first",
    interpolation: Interpolation = "step",
) -> dict[str, float | int | str]:
    """All values as shares from 0 to 1, and what they mean. The recall is part of the FPR's name.

    Values: `auroc`, `aupr_ood_positive`, `aupr_id_positive`, `fpr95_ood_positive` (share of ID flagged when 95 % of
    OOD is caught), `fpr95_id_positive` (share of OOD passed when 95 % of ID is kept), `detection_error`.
    Convention: `score` (its direction), `recall`, `rule`, `interpolation`, `pooling`, `ood_share`, `n_id`, `n_ood`.

    Args:
        id_scores: Shape (n,), higher is more out-of-distribution.
        ood_scores: Shape (m,).
        recall: Where the false positive rates are read.
        rule: How a threshold for that recall is chosen, see `fpr_at_recall`.
        interpolation: See `aupr`.

    Raises:
        ScoreError: see `auroc`.
    """
    levels = count_levels(id_scores, ood_scores)
    n_id, n_ood = int(levels.id.sum()), int(levels.ood.sum())
    return {
        **measure(levels, recall, rule, interpolation),
        "score": "higher is more OOD",
        "recall": float(recall),
        "rule": rule,
        "interpolation": interpolation,
        "pooling": "pooled",
        "ood_share": n_ood / (n_id + n_ood),
        "n_id": n_id,
        "n_ood": n_ood,
    }


def measure(levels: Levels, recall: float, rule: Rule, interpolation: Interpolation, /) -> dict[str, float]:
    """The values alone."""
    ood, inside = curve(levels, "ood"), curve(levels, "id")
    percent = f"{100 * recall:g}"
    return {
        "auroc": area(ood),
        "aupr_ood_positive": average_precision(ood, interpolation),
        "aupr_id_positive": average_precision(inside, interpolation),
        f"fpr{percent}_ood_positive": false_alarms(ood, recall, rule),
        f"fpr{percent}_id_positive": false_alarms(inside, recall, rule),
        "detection_error": error(ood),
    }
