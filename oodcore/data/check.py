"""A look at every image of a set: how many, which cannot be decoded, which are there twice."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from oodcore.data.catalogue import entries, entry, open_set
from oodcore.data.entry import FULL_TRAIN
from oodcore.data.folders import split_folders
from oodcore.data.images import ImageSet, fingerprints
from oodcore.data.roots import Progress
from oodcore.data.transforms import Coding
from oodcore.errors import DataError

__all__ = ["Checked", "check"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in one split of a set."""

    name: str
    split: str
    images: int
    """How many can be decoded."""
    classes: int
    smallest_class: int
    """Images in it."""
    empty_classes: tuple[str, ...]
    broken: tuple[str, ...]
    """A sentence for each image that cannot be decoded."""
    doubles: tuple[tuple[str, str], ...]
    """Keys of an image and of an earlier one of this split with equal pixels."""
    also_in: Mapping[str, int]
    """Earlier split → images of this one that are there as well."""
    coding: Coding
    digest: str

    @property
    def fine(self) -> bool:
        """Whether nothing is missing or broken; equal images are told, but published sets have some."""
        return not self.empty_classes and not self.broken


def check(name: str, root: Path | str | None = None, progress: Progress | None = None) -> list[Checked]:
    """Decode all of a set's images.

    Args:
        name: A name that `entries` lists, or a path of one's own, as for `open_set`.
        root: See `open_set`.
        progress: Called with (images looked at, images of this split).

    Returns:
        One for each split; the training part and the calibration images in it stand apart.

    Raises:
        DataError: the set is not here, or its archive cannot be read at all.
        UnknownNameError: no set is called so.
    """
    found: list[Checked] = []
    seen: dict[str, str] = {}
    for split in _splits(name):
        images = open_set(name, split, root, progress)
        looks, broken = _looks(images, progress)
        found.append(_checked(images, split, looks, broken, seen))
        seen |= {look: split for _, look in looks}
    return found


def _checked(
    images: ImageSet, split: str, looks: list[tuple[str, str]], broken: list[str], seen: Mapping[str, str]
) -> Checked:
    shared = Counter(seen[look] for _, look in looks if look in seen)
    return Checked(
        name=images.name,
        split=split,
        images=len(looks),
        classes=len(images.classes),
        smallest_class=min(images.counts.values(), default=0),
        empty_classes=tuple(owner for owner, count in images.counts.items() if count == 0),
        broken=tuple(broken),
        doubles=tuple(_doubles(looks)),
        also_in=dict(shared),
        coding=images.coding,
        digest=images.digest,
    )


def _doubles(looks: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    first: dict[str, str] = {}
    for key, look in looks:
        if look in first:
            yield key, first[look]
        else:
            first[look] = key


def _looks(images: ImageSet, progress: Progress | None) -> tuple[list[tuple[str, str]], list[str]]:
    """Key and hash of every image that decodes, and a sentence for every other one."""
    looks: list[tuple[str, str]] = []
    broken: list[str] = []

    def look(index: int) -> tuple[str, str] | DataError:
        try:
            sample = images[index]
        except DataError as error:
            return error
        return sample.key, fingerprints(sample.image[None])[0]

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for done, found in enumerate(pool.map(look, range(len(images))), 1):
            if isinstance(found, DataError):
                broken.append(str(found))
            else:
                looks.append(found)
            if progress:
                progress(done, len(images))
    return looks, broken


def _splits(name: str) -> list[str]:
    """Those of the catalogue that do not repeat others; a folder's own, with the whole training part in one."""
    path = Path(name).expanduser()
    if name not in {known.name for known in entries()} and path.exists():
        parts = split_folders(path) if path.is_dir() else ()
        divides = "calibration" not in parts
        return [FULL_TRAIN if part == "train" and divides else part for part in parts] or ["all"]
    return [split for split in entry(name).splits if split != FULL_TRAIN]
