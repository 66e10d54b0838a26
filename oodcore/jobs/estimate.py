"""How long the cells of a grid will take, from what earlier runs took here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import fmean

from oodcore.data import open_set
from oodcore.errors import OODError
from oodcore.jobs.folder import RunFolder
from oodcore.jobs.grid import Cell
from oodcore.jobs.images import read_inliers

__all__ = ["Estimate"]


@dataclass
class Estimate:
    """Images still to be trained on, over the speed of the runs that there are; measuring is not counted.

    Args:
        cells: Of which some have run, or have begun to.
        root: Folder of the image sets.
    """

    cells: Sequence[Cell]
    root: Path | None = None
    _inliers: dict[str, int] = field(default_factory=dict)

    def seconds(self, cell: Cell) -> float | None:
        """Of training; None where nothing has run yet, or the recipe cannot be read."""
        if self.speed is None:
            return None
        try:
            status, left = RunFolder(cell.folder).status, self.steps(cell)
            train, outliers = cell.experiment.train, cell.experiment.data.outliers
        except OODError:
            return None
        left -= status.step if status else 0
        return max(left, 0) * (train.batch + (train.outlier_batch if outliers else 0)) / self.speed

    def steps(self, cell: Cell) -> int:
        """Of the whole run."""
        experiment = cell.experiment
        train = experiment.train
        if train.steps is not None:
            return train.steps
        key = f"{experiment.data.inliers} {experiment.data.split} {experiment.data.long_tail}"
        if key not in self._inliers:
            read = read_inliers(experiment, lambda name, split: open_set(name, split, self.root))
            self._inliers[key] = len(read.train)
        return train.epochs * (self._inliers[key] // train.batch)

    @cached_property
    def speed(self) -> float | None:
        """Images a second, mean over the runs of the grid."""
        folders = {each.folder for cell in self.cells for each in (cell, cell.parent) if each is not None}
        told = [speed for folder in folders if (speed := _last_speed(folder)) is not None]
        return fmean(told) if told else None


def _last_speed(folder: Path) -> float | None:
    speeds = [float(event["images_per_second"]) for event in RunFolder(folder).events() if "images_per_second" in event]
    return speeds[-1] if speeds else None
