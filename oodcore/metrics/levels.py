"""How many samples of each kind share each distinct score: all that a rank metric needs, ties merged."""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Int64

from oodcore.errors import ScoreError
from oodcore.metrics.inputs import Array, as_scores

__all__ = ["Curve", "Levels", "Positive", "count_levels", "curve"]

Positive: TypeAlias = Literal["ood", "id"]
Counts: TypeAlias = Int64[np.ndarray, " levels"]


class Levels(NamedTuple):
    """Counts at each distinct score, from the highest score down."""

    ood: Counts
    id: Counts


class Curve(NamedTuple):
    """Samples declared positive at each threshold, from the strictest to the one that takes everything."""

    hits: Counts  # positives among them
    alarms: Counts  # negatives among them


def count_levels(id_scores: Array, ood_scores: Array, /) -> Levels:
    """Sort once, O(n log n).

    Raises:
        ScoreError: see `as_scores`.
    """
    inside, outside = as_scores(id_scores, "id_scores"), as_scores(ood_scores, "ood_scores")
    distinct, level = np.unique(np.concatenate([inside, outside]), return_inverse=True)
    level = len(distinct) - 1 - level
    ood = np.bincount(level[len(inside) :], minlength=len(distinct))
    return Levels(ood, np.bincount(level[: len(inside)], minlength=len(distinct)))


def curve(levels: Levels, positive: Positive, /) -> Curve:
    """OOD is found from the top of the scores, ID from the bottom.

    Raises:
        ScoreError: `positive` is neither `"ood"` nor `"id"`.
    """
    if positive == "ood":
        return Curve(levels.ood.cumsum(), levels.id.cumsum())
    if positive == "id":
        return Curve(levels.id[::-1].cumsum(), levels.ood[::-1].cumsum())
    raise ScoreError(f"positive must be 'ood' or 'id', the class that counts as found; got {positive!r}.")
