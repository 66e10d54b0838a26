"""One line of the catalogue."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from oodcore.data.calibration import split_calibration
from oodcore.data.download import Download
from oodcore.data.images import ImageSet, Role
from oodcore.data.roots import Progress, find_root, roots
from oodcore.data.transforms import Coding
from oodcore.errors import DataError

__all__ = ["FULL_TRAIN", "ID_SPLITS", "Entry", "Load", "with_calibration"]

Load = Callable[[Path, str, Progress | None], ImageSet]
"""(root that holds the set, split, progress) → the images."""

FULL_TRAIN = "train+calibration"
ID_SPLITS = ("train", "calibration", "test", FULL_TRAIN)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a set before it is read."""

    name: str
    title: str
    role: Role
    classes: int
    """How many."""
    coding: Coding
    splits: tuple[str, ...]
    licence: str
    """What its owners allow, as far as is known."""
    how: str
    """How to get it, in one sentence."""
    needs: tuple[str, ...] = ()
    """Files or folders that must lie in one root; none where the set is drawn by code."""
    downloads: tuple[Download, ...] = ()
    load: Load = field(kw_only=True, repr=False, compare=False)

    def present(self, root: Path | str | None = None) -> bool:
        """Whether it can be opened now; only looks for names."""
        return find_root(self.needs, root) is not None

    def open(self, split: str, root: Path | str | None = None, progress: Progress | None = None) -> ImageSet:
        """The images of one split.

        Raises:
            DataError: no such split, nothing there (the sentence says how to get it), or damaged.
        """
        if split not in self.splits:
            raise DataError(f"'{self.name}' has the splits {', '.join(self.splits)}; got '{split}'.")
        folder = find_root(self.needs, root)
        if folder is None:
            looked = ", ".join(f"'{place}'" for place in roots(root))
            raise DataError(f"'{self.name}' is not here: no {' and '.join(self.needs)} in {looked}. {self.how}")
        images = self.load(folder, split, progress)
        if len(images) == 0:
            raise DataError(f"The {split} part of '{self.name}' in '{folder}' holds no image. {self.how}")
        return images


def with_calibration(load: Load) -> Load:
    """Divide the training part that `load` reads into training and calibration; the two together stay available."""

    def divided(folder: Path, split: str, progress: Progress | None) -> ImageSet:
        if split == "test":
            return load(folder, "test", progress)
        images = load(folder, "train", progress)
        if split == FULL_TRAIN:
            return images
        train, calibration = split_calibration(images)
        return train if split == "train" else calibration

    return divided
