"""Scores → numbers whose names state their convention. Scores are HIGHER = MORE OUT-OF-DISTRIBUTION throughout.

Rank metrics count integers on the raw scores, so ties are exact and no scale or sign is guessed.
"""

from oodcore.metrics.closed_set import accuracy, ece
from oodcore.metrics.intervals import Interval, auroc_interval, ood_intervals
from oodcore.metrics.long_tail import TailAccuracy, tail_accuracy, tail_groups
from oodcore.metrics.ranking import aupr, auroc, detection_error, fpr_at_recall
from oodcore.metrics.scood import scood_merge
from oodcore.metrics.summary import ood_metrics

__all__ = [
    "Interval",
    "TailAccuracy",
    "accuracy",
    "aupr",
    "auroc",
    "auroc_interval",
    "detection_error",
    "ece",
    "fpr_at_recall",
    "ood_intervals",
    "ood_metrics",
    "scood_merge",
    "tail_accuracy",
    "tail_groups",
]
