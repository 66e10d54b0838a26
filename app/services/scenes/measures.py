"""What several scenes measure of two sets of scores, HIGHER = MORE OUT-OF-DISTRIBUTION."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from app.services.scenes.cast import FAR, NEAR
from app.services.scenes.frames import Dial
from oodcore.metrics import auroc, fpr_at_recall
from oodcore.metrics.levels import count_levels, curve
from oodcore.thresholds import Calibration

__all__ = ["AGAINST", "AUROC", "FPR95", "GRID", "KEPT", "Measured", "against", "measure"]

KEPT = 0.95
GRID = tuple(step / 40 for step in range(41))  # shares of known pictures flagged, for ROC curves
AUROC = "AUROC: a stranger scores above a known shape"
FPR95 = "FPR95: strangers passed when 95 % of known are kept"
AGAINST = {"new shapes": NEAR, "textures": FAR}


class Measured(NamedTuple):
    """Of known pictures against strangers."""

    auroc: float
    fpr95: float  # ID is positive
    threshold: float  # keeps 95 % of known pictures
    roc: list[float]  # share of strangers flagged at each of `GRID`


def against() -> Dial:
    """Which strangers the known shapes are compared with."""
    return Dial("against", "Compared with", tuple(AGAINST), tuple(AGAINST))


def measure(known: Float64[Tensor, " n"], strangers: Float64[Tensor, " m"]) -> Measured:
    """All of it from the same two sets."""
    points = curve(count_levels(known, strangers), "ood")
    alarms, hits = points.alarms / points.alarms[-1], points.hits / points.hits[-1]
    return Measured(
        auroc(known, strangers),
        fpr_at_recall(known, strangers, KEPT, positive="id"),
        Calibration(known).threshold(KEPT),
        _along(alarms, hits, GRID),
    )


def _along(x: np.ndarray, y: np.ndarray, grid: Sequence[float]) -> list[float]:
    """The highest y at or left of each place."""
    last = np.searchsorted(x, grid, side="right") - 1
    return [float(y[index]) if index >= 0 else 0.0 for index in last]
