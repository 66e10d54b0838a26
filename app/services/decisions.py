"""From scores to what the dial needs: every decision for every setting, made by the library beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64
from torch import Tensor

from oodcore.metrics import auroc
from oodcore.thresholds import Calibration, rows_needed

__all__ = ["GRID", "Dial", "common", "dial", "differ", "kept_from", "nearest"]

GRID = tuple(round(0.005 * step, 3) for step in range(100, 200))  # 50 % to 99.5 %


@dataclass(frozen=True, slots=True)
class Dial:
    """What happens at each setting of the dial.

    Args:
        levels: Shares of known images to keep, rising.
        thresholds: Scores above which a photo is flagged.
        alarms: Shares of held-out known images that are flagged.
        caught: Shares of outliers that are flagged, or None without outliers.
        apart: AUROC of the outliers against the held-out known images, or None without outliers.
    """

    levels: tuple[float, ...]
    thresholds: tuple[float, ...]
    alarms: tuple[float, ...]
    caught: tuple[float, ...] | None
    apart: float | None

    def first(self, settings: int) -> "Dial":
        """The same with fewer settings."""
        caught = None if self.caught is None else self.caught[:settings]
        return replace(
            self,
            levels=self.levels[:settings],
            thresholds=self.thresholds[:settings],
            alarms=self.alarms[:settings],
            caught=caught,
        )


def dial(calibration: Calibration, known: Float64[Tensor, " n"], outliers: Float64[Tensor, " m"] | None) -> Dial:
    """Settings that the calibration split is large enough for."""
    levels = tuple(level for level in GRID if rows_needed(level) <= len(calibration))
    return Dial(
        levels,
        tuple(calibration.threshold(level) for level in levels),
        tuple(_flagged(calibration, known, level) for level in levels),
        None if outliers is None else tuple(_flagged(calibration, outliers, level) for level in levels),
        None if outliers is None else float(auroc(known, outliers)),
    )


def common(dials: Sequence[Dial]) -> list[Dial]:
    """The settings that all of them have, so that one dial moves them together."""
    settings = min(len(one.levels) for one in dials)
    return [one.first(settings) for one in dials]


def kept_from(calibration: Calibration, scores: Float64[Tensor, " n"], levels: tuple[float, ...]) -> list[int]:
    """First setting that keeps each photo; the number of settings where none does. Keeping more never flags more."""
    flags = torch.stack([calibration.is_ood(scores, level) for level in levels])
    return flags.sum(dim=0).tolist()


def differ(flags: Sequence[bool]) -> bool:
    """Whether the checkpoints disagree about one picture, the main one's decision being the first."""
    return any(flag != flags[0] for flag in flags[1:])


def nearest(levels: tuple[float, ...], wanted: float) -> int:
    """Index of the setting closest to the one in a link."""
    return min(range(len(levels)), key=lambda index: abs(levels[index] - wanted))


def _flagged(calibration: Calibration, scores: Float64[Tensor, " n"], level: float) -> float:
    return float(calibration.is_ood(scores, level).double().mean())
