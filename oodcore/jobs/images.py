"""Which images a run trains on, which it validates on, and that the two and the tests have nothing in common."""

import hashlib
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from oodcore.config import Experiment
from oodcore.data import (
    ArraySet,
    Entry,
    ImageSet,
    Preprocessing,
    check_disjoint,
    drop_excluded,
    entries,
    entry,
    long_tail,
    open_set,
    split_calibration,
)
from oodcore.data.entry import FULL_TRAIN
from oodcore.data.folders import split_folders
from oodcore.errors import DataError, UnknownNameError
from oodcore.evaluate import Work

__all__ = ["Images", "Sources", "in_memory", "read_inliers", "require_auxiliary"]

SHARE, AT_LEAST = 0.05, 500  # of auxiliary outliers without a validation part of their own, and never above half
SINGLE_FILES = (".npz", ".npy", ".txt")
MEMORY_SHARE = 0.5

Read = Callable[[str, str], ImageSet]


class Inliers(NamedTuple):
    """In-distribution images as they are stored."""

    train: ImageSet
    calibration: ImageSet


class Outliers(NamedTuple):
    """Auxiliary outliers as they are stored, and where those for validation come from, in words."""

    train: ImageSet
    held_out: ImageSet
    rule: str


@dataclass(frozen=True)
class Images:
    """In memory, as the network sees them.

    Args:
        inliers: Training images.
        calibration: In-distribution images for validation.
        outliers: Auxiliary training images.
        held_out: Auxiliary outliers for validation.
        rule: What `held_out` is, in words.
    """

    inliers: ArraySet
    calibration: ArraySet
    outliers: ArraySet | None = None
    held_out: ArraySet | None = None
    rule: str = ""

    @property
    def digests(self) -> dict[str, str]:
        """Hash of the content of each part."""
        parts = {f"{self.inliers.name}/train": self.inliers, f"{self.calibration.name}/calibration": self.calibration}
        if self.outliers is not None and self.held_out is not None:
            parts |= {f"{self.outliers.name}/train": self.outliers, f"{self.held_out.name}/held out": self.held_out}
        return {name: part.digest for name, part in parts.items()}


@dataclass(frozen=True)
class Sources:
    """Where images come from.

    Args:
        experiment: Names them.
        root: Folder of the image sets; see `oodcore.data.roots`.
        work: Whose progress hears of archives being decoded.
    """

    experiment: Experiment
    root: Path | None
    work: Work

    def read(self, name: str, split: str) -> ImageSet:
        """A part of a set."""
        return open_set(name, split, self.root, self.work.telling(f"Reading {name} {split}"))

    def images(self, inliers: Inliers, preprocessing: Preprocessing) -> Images:
        """Everything, brought to what a network sees.

        Raises:
            DataError: something is missing, or too large for memory.
        """
        seen = partial(in_memory, preprocessing=preprocessing)
        if self.experiment.data.outliers is None:
            return Images(seen(inliers.train), seen(inliers.calibration))
        outliers = read_outliers(self.experiment, self.read)
        return Images(
            seen(inliers.train), seen(inliers.calibration), seen(outliers.train), seen(outliers.held_out), outliers.rule
        )

    def require_apart(self, images: Images, preprocessing: Preprocessing) -> None:
        """No auxiliary outlier among images of the classes, tested ones included, or in a test set of `not_tested`.

        Raises:
            DataError: shared images; the sentence names some.
        """
        tested = [] if images.outliers is None else self._tested(preprocessing)
        for outliers in (images.outliers, images.held_out):
            if outliers is not None:
                check_disjoint(outliers, [images.inliers, images.calibration, *tested])
        if images.outliers is None or images.held_out is None:
            return
        for name in self._tests(images.outliers):
            test = drop_excluded(self.read(name, "test"), images.outliers.name, self.root)
            seen = in_memory(test, preprocessing)
            check_disjoint(images.outliers, seen)
            check_disjoint(images.held_out, seen)

    def _tested(self, preprocessing: Preprocessing) -> list[ArraySet]:
        """The in-distribution set's own test part, if it has one."""
        name = self.experiment.data.inliers
        known = catalogued(name)
        there = "test" in parts_of(name) if known is None else bool(known.needs)  # drawn ones are apart by their seeds
        return [in_memory(self.read(name, "test"), preprocessing)] if there else []

    def _tests(self, outliers: ArraySet) -> Iterator[str]:
        """Those of another coding are not read here: the same picture has other pixels there."""
        named = self.experiment.data.not_tested
        known = catalogued(str(self.experiment.data.outliers))
        drawn = known is not None and not known.needs  # drawn sets have no family in common
        yield from (name for name in named if name != "all")
        for test in entries() if "all" in named else ():
            alike = test.role in ("near", "far") and test.coding == outliers.coding
            if alike and test.present(self.root) and (test.needs or not drawn):
                yield test.name


def require_auxiliary(experiment: Experiment) -> None:
    """What is told before anything is read: outliers with another role in the catalogue.

    Raises:
        DataError: a test set, or in-distribution images.
        UnknownNameError: neither a name nor a path.
    """
    name = experiment.data.outliers
    known = None if name is None else catalogued(name)
    if known is None or known.role == "auxiliary":
        return
    kind = "in-distribution images" if known.role == "id" else "OOD test images"
    fit = ", ".join(each.name for each in entries() if each.role == "auxiliary")
    raise DataError(
        f"'{name}' holds {kind}: a network that was trained against them can no longer be tested with them. "
        f"Choose auxiliary outliers: {fit}, or images of your own."
    )


def read_inliers(experiment: Experiment, read: Read) -> Inliers:
    """Images with classes; those of one's own that are not divided give their calibration part by content.

    Raises:
        DataError: not here, without classes, or calibration images asked for as training images.
    """
    data = experiment.data
    if data.split in (FULL_TRAIN, "calibration"):
        raise DataError(f"split = '{data.split}' would train on the images that validate. Use split = 'train'.")
    if catalogued(data.inliers) is None and not parts_of(data.inliers):
        train, calibration = split_calibration(_labelled(read(data.inliers, "all")))
    else:
        train, calibration = _labelled(read(data.inliers, data.split)), read(data.inliers, "calibration")
    return Inliers(train if data.long_tail is None else long_tail(train, data.long_tail), calibration)


def read_outliers(experiment: Experiment, read: Read) -> Outliers:
    """Training part and a part for validation: the set's own one, else a share chosen by content.

    Raises:
        DataError: not here.
    """
    name, wanted = str(experiment.data.outliers), experiment.validation.outlier_split
    if (known := catalogued(name)) is not None:
        train, own = read(name, "train"), [wanted, "calibration", *(["test"] if known.role == "auxiliary" else [])]
        parts = known.splits
    else:
        parts, own = parts_of(name), [wanted, "calibration"]
        train = read(name, FULL_TRAIN if parts else "all")
    for part in own:
        if part in parts:
            return Outliers(train, read(name, part), f"{train.name}/{part}")
    return held_out_by_content(train)


def held_out_by_content(images: ImageSet) -> Outliers:
    """The images whose content hashes smallest: the same ones in any order, and equal ones on one side.

    Raises:
        DataError: fewer than two different images.
    """
    draws = [hashlib.blake2b(f"held out {look}".encode(), digest_size=16).hexdigest() for look in images.identities]
    different = sorted(set(draws))
    if len(different) < 2:
        raise DataError(f"'{images.name}' has {len(different)} images; training and validation need one each at least.")
    chosen = set(different[: min(max(math.ceil(SHARE * len(different)), AT_LEAST), len(different) // 2)])
    mask = torch.tensor([draw in chosen for draw in draws])
    held_out = images.take(mask)
    rule = f"{len(held_out)} of {len(images)} images of '{images.name}', chosen by content and not trained on"
    return Outliers(images.take(~mask), held_out, rule)


def in_memory(images: ImageSet, preprocessing: Preprocessing) -> ArraySet:
    """What a network sees of the images, as one tensor; the same record where nothing has to be done.

    Raises:
        DataError: they would fill more than half of the memory.
    """
    side = preprocessing.size
    coded = preprocessing.coding in ("lossless", images.coding)
    if isinstance(images, ArraySet) and coded and tuple(images.images.shape[2:]) == (side, side):
        return images
    _require_memory(images, 3 * side * side * len(images))
    pixels = torch.empty(len(images), 3, side, side, dtype=torch.uint8)
    done = 0
    for batch in images.batches(256, preprocessing):
        pixels[done : done + len(batch.images)] = batch.images
        done += len(batch.images)
    coding = preprocessing.coding
    return ArraySet(
        pixels, images.labels, images.keys, images.name, images.role, images.classes, coding, dict(images.excludes)
    )


def catalogued(name: str) -> Entry | None:
    """A set that has a name; None for a path.

    Raises:
        UnknownNameError: neither.
    """
    try:
        return entry(name)
    except UnknownNameError:
        if "/" in name or Path(name).suffix or Path(name).expanduser().exists():
            return None
        raise


def parts_of(path: str) -> tuple[str, ...]:
    """What a folder or an archive of one's own is divided into, if it is."""
    return () if Path(path).suffix.lower() in SINGLE_FILES else split_folders(Path(path).expanduser())


def _labelled(images: ImageSet) -> ImageSet:
    if not images.classes or bool((images.labels < 0).any()):
        raise DataError(
            f"'{images.name}' has images without a class. Train on labelled images: a folder per class, or an .npz "
            "with labels."
        )
    return images


def _require_memory(images: ImageSet, size: int) -> None:
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > MEMORY_SHARE * there:
        raise DataError(
            f"'{images.name}' would take {size / 2**30:.0f} GiB of this machine's {there / 2**30:.0f}; training keeps "
            "its images in memory. Take fewer images."
        )
