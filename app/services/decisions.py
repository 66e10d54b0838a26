"""From scores to what the dial needs: every decision for every setting, made by the library beforehand."""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from oodcore.thresholds import Calibration, rows_needed

__all__ = ["GRID", "Dial", "dial", "kept_from", "nearest"]

GRID = tuple(round(0.005 * step, 3) for step in range(100, 200))  # 50 % to 99.5 %


@dataclass(frozen=True, slots=True)
class Dial:
    """What happens at each setting of the dial.

    Args:
        levels: Shares of known images to keep, rising.
        thresholds: Scores above which a photo is flagged.
        alarms: Shares of held-out known images that are flagged.
        caught: Shares of outliers that are flagged, or None without outliers.
    """

    levels: tuple[float, ...]
    thresholds: tuple[float, ...]
    alarms: tuple[float, ...]
    caught: tuple[float, ...] | None


def dial(calibration: Calibration, known: Float64[Tensor, " n"], outliers: Float64[Tensor, " m"] | None) -> Dial:
    """Settings that the calibration split is large enough for."""
    levels = tuple(level for level in GRID if rows_needed(level) <= len(calibration))
    return Dial(
        levels,
        tuple(calibration.threshold(level) for level in levels),
        tuple(_flagged(calibration, known, level) for level in levels),
        None if outliers is None else tuple(_flagged(calibration, outliers, level) for level in levels),
    )


def kept_from(calibration: Calibration, scores: Float64[Tensor, " n"], levels: tuple[float, ...]) -> list[int]:
    """First setting that keeps each photo; the number of settings where none does. Keeping more never flags more."""
    flags = torch.stack([calibration.is_ood(scores, level) for level in levels])
    return flags.sum(dim=0).tolist()


def nearest(levels: tuple[float, ...], wanted: float) -> int:
    """Index of the setting closest to the one in a link."""
    return min(range(len(levels)), key=lambda index: abs(levels[index] - wanted))


def _flagged(calibration: Calibration, scores: Float64[Tensor, " n"], level: float) -> float:
    return float(calibration.is_ood(scores, level).double().mean())
