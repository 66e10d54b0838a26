"""A look at every image of a set: how many, which cannot be decoded, which are there twice."""

from dataclasses import dataclass
from pathlib import Path

from oodcore.data.catalogue import entry
from oodcore.data.entry import FULL_TRAIN
from oodcore.data.images import ImageSet, fingerprints
from oodcore.data.roots import Progress
from oodcore.errors import DataError

__all__ = ["Checked", "check"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a set."""

    name: str
    counts: dict[str, int]
    """Decoded images of each split."""
    empty: tuple[str, ...]
    """Classes without an image, as `"train: cat"`."""
    broken: tuple[str, ...]
    """A sentence for each image that cannot be decoded."""
    duplicates: tuple[tuple[str, str], ...]
    """Pairs of keys with equal pixels, each with its split in front."""

    @property
    def fine(self) -> bool:
        """Whether nothing is missing or broken; duplicates are told, but published sets have some."""
        return not self.empty and not self.broken


def check(name: str, root: Path | str | None = None, progress: Progress | None = None) -> Checked:
    """Decode all of a set's images.

    Args:
        name: A name that `entries` lists.
        root: See `open_set`.
        progress: Called with (images looked at, images of this split).

    Raises:
        DataError: the set is not here, or its archive cannot be read at all.
        UnknownNameError: no set is called so.
    """
    known = entry(name)
    counts: dict[str, int] = {}
    empty: list[str] = []
    broken: list[str] = []
    seen: dict[str, str] = {}
    twice: list[tuple[str, str]] = []
    for split in (split for split in known.splits if split != FULL_TRAIN):
        images = known.open(split, root, progress)
        empty += [f"{split}: {owner}" for owner, count in images.counts.items() if count == 0]
        looks, failed = _looks(images, progress)
        broken += failed
        counts[split] = len(looks)
        for key, look in looks:
            if look in seen:
                twice.append((seen[look], f"{split}: {key}"))
            seen.setdefault(look, f"{split}: {key}")
    return Checked(name, counts, tuple(empty), tuple(broken), tuple(twice))


def _looks(images: ImageSet, progress: Progress | None) -> tuple[list[tuple[str, str]], list[str]]:
    """Key and hash of every image that decodes, and a sentence for every other one."""
    looks, broken = [], []
    for index in range(len(images)):
        try:
            sample = images[index]
            looks.append((sample.key, fingerprints(sample.image[None])[0]))
        except DataError as error:
            broken.append(str(error))
        if progress:
            progress(index + 1, len(images))
    return looks, broken
