"""Curves to look at: ROC, precision and recall, densities; from all scores, with as many points as a line needs."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from oodcore.metrics.inputs import Array, as_scores
from oodcore.metrics.levels import Curve, Positive, count_levels, curve

__all__ = ["Densities", "Line", "densities", "precision_recall_line", "roc_line"]

POINTS = 600
BARS = 60


class Line(NamedTuple):
    """Points of a curve, from the strictest threshold to the one that takes everything."""

    x: Float64[np.ndarray, " points"]
    y: Float64[np.ndarray, " points"]


class Densities(NamedTuple):
    """Two histograms over the same bars; the area of each is 1."""

    edges: Float64[np.ndarray, " bars+1"]
    id: Float64[np.ndarray, " bars"]
    ood: Float64[np.ndarray, " bars"]


def roc_line(id_scores: Array, ood_scores: Array, positive: Positive = "ood") -> Line:
    """Share of the other class that is taken for `positive`, against the share of `positive` that is found.

    Raises:
        ScoreError: see `auroc`.
    """
    points = curve(count_levels(id_scores, ood_scores), positive)
    alarms, hits = points.alarms / points.alarms[-1], points.hits / points.hits[-1]
    kept = _enough(points)
    return Line(np.concatenate([[0.0], alarms[kept]]), np.concatenate([[0.0], hits[kept]]))


def precision_recall_line(id_scores: Array, ood_scores: Array, positive: Positive = "ood") -> Line:
    """Recall, against the share of those declared `positive` that are; it ends at the share of `positive` itself.

    Raises:
        ScoreError: see `auroc`.
    """
    points = curve(count_levels(id_scores, ood_scores), positive)
    precision, recall = points.hits / (points.hits + points.alarms), points.hits / points.hits[-1]
    kept = _enough(points)
    return Line(recall[kept], precision[kept])


def densities(id_scores: Array, ood_scores: Array, bars: int = BARS) -> Densities:
    """The far ends, half a per cent of each set, are drawn in the outermost bars.

    Raises:
        ScoreError: see `auroc`.
    """
    sets = as_scores(id_scores, "id_scores"), as_scores(ood_scores, "ood_scores")
    low, high = min(np.quantile(each, 0.005) for each in sets), max(np.quantile(each, 0.995) for each in sets)
    room = 0.02 * (high - low) or 0.5
    edges = np.linspace(low - room, high + room, bars + 1)
    inside, outside = (np.histogram(each.clip(edges[0], edges[-1]), edges, density=True)[0] for each in sets)
    return Densities(edges, inside, outside)


def _enough(points: Curve) -> Int64[np.ndarray, " kept"]:
    """Thresholds evenly spread along the curve, with the first and the last one."""
    run = (points.hits / points.hits[-1] + points.alarms / points.alarms[-1]) / 2
    wanted = np.searchsorted(run, np.linspace(run[0], 1.0, POINTS))
    return np.unique(np.concatenate([[0], wanted.clip(0, len(run) - 1), [len(run) - 1]]))
