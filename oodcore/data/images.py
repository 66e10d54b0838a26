"""The records of this package: one sample, one batch, and a set of images in memory or on disk."""

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeVar, overload

import torch
from jaxtyping import Int, Int64, UInt8
from torch import Tensor

from oodcore.data.transforms import Coding, Preprocessing
from oodcore.errors import DataError

__all__ = ["ArraySet", "Batch", "ImageSet", "Index", "Numbered", "Role", "Sample", "fingerprints", "positions"]

Role = Literal["id", "auxiliary", "near", "far", "own"]
"""In-distribution, auxiliary outliers (for training), near and far OOD (for tests), or a user's own pictures."""

S = TypeVar("S", bound="ImageSet")
Index = slice | Tensor | Sequence[int]


class Sample(NamedTuple):
    """One image, uint8, with its class (-1: none) and a key that names it for people and survives shuffling."""

    image: UInt8[Tensor, "3 h w"]
    label: int
    key: str


class Batch(NamedTuple):
    """Images of one size, uint8, with labels (-1: none) and keys."""

    images: UInt8[Tensor, "n 3 h w"]
    labels: Int64[Tensor, " n"]
    keys: Sequence[str]


class ImageSet(ABC):
    """Images with classes, keys and a role. Labels count through `classes`; -1 stands for none of them."""

    name: str
    role: Role
    classes: tuple[str, ...]
    coding: Coding
    labels: Int64[Tensor, " n"]
    keys: Sequence[str]
    excludes: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """Of auxiliary outliers: classes of test sets, by the set's name, that show the same thing as one of theirs."""

    @abstractmethod
    def __getitem__(self, index: int, /) -> Sample:
        """One sample at its own size."""

    @abstractmethod
    def batches(self, size: int = 256, preprocessing: Preprocessing | None = None) -> Iterator[Batch]:
        """Consecutive batches of at most `size` images, uint8, at the network's size (or their own, without one)."""

    @abstractmethod
    def take(self: S, index: Index, /) -> S:
        """The chosen samples, under the same name."""

    @abstractmethod
    def relabel(self: S, labels: Int64[Tensor, " n"], classes: tuple[str, ...], name: str | None = None) -> S:
        """The same images under other labels and, if given, another name."""

    def keep(self: S, classes: Sequence[str], name: str | None = None) -> S:
        """Only the images of these classes, renumbered; the order of the classes stays.

        Raises:
            DataError: a class that the set does not have.
        """
        if unknown := sorted(set(classes) - set(self.classes)):
            raise DataError(f"'{self.name}' has no class {unknown}. It has: {', '.join(self.classes)}.")
        numbers = [number for number, known in enumerate(self.classes) if known in set(classes)]
        kept = self.take(torch.isin(self.labels.cpu(), torch.tensor(numbers, dtype=torch.int64)))
        renumbered = torch.searchsorted(torch.tensor(numbers, dtype=torch.int64), kept.labels.cpu())
        return kept.relabel(renumbered.to(kept.labels.device), tuple(self.classes[n] for n in numbers), name)

    @cached_property
    @abstractmethod
    def fingerprints(self) -> tuple[str, ...]:
        """One hash per image, over its pixels: equal hashes are equal images."""

    def seen(self, preprocessing: Preprocessing) -> tuple[str, ...]:
        """The same hashes over what a network sees of the images."""
        batches = self.batches(1024, preprocessing)
        return tuple(look for batch in batches for look in fingerprints(batch.images))

    @property
    def identities(self) -> tuple[str, ...]:
        """One hash per image that is cheap to have: of its pixels, or of its file where decoding would be needed."""
        return self.fingerprints

    @cached_property
    def digest(self) -> str:
        """sha256 over images, labels and classes in this order: what caches are keyed by."""
        content = hashlib.sha256("\0".join((*self.classes, self.coding)).encode())
        content.update(self.labels.cpu().numpy().tobytes())
        for identity in self.identities:
            content.update(bytes.fromhex(identity))
        return content.hexdigest()

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    @property
    def counts(self) -> dict[str, int]:
        """Images per class, in the order of `classes`; unlabelled images are not counted."""
        found = Counter(self.labels.tolist())
        return {name: found[number] for number, name in enumerate(self.classes)}

    def _check(self) -> None:
        if len(self.keys) != len(self.labels):
            raise DataError(f"'{self.name}' needs one key per image: {len(self.labels)} labels, {len(self.keys)} keys.")
        if len(self) and not -1 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            low, high = int(self.labels.min()), int(self.labels.max())
            raise DataError(
                f"Labels of '{self.name}' must lie in 0..{len(self.classes) - 1}, or be -1; got {low}..{high}."
            )


@dataclass(frozen=True, eq=False)
class ArraySet(ImageSet):
    """Images of one size as one uint8 tensor, in memory, memory-mapped, or on a device.

    Raises:
        DataError: not uint8 of shape (n, 3, h, w), or labels and keys that do not fit.
    """

    images: UInt8[Tensor, "n 3 h w"]
    labels: Int64[Tensor, " labels"]  # n of them, which is checked with a sentence
    keys: Sequence[str]
    name: str = "images"
    role: Role = "own"
    classes: tuple[str, ...] = ()
    coding: Coding = "lossless"
    excludes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise DataError(
                f"'{self.name}' needs one label per image: {len(self.images)} images, {len(self.labels)} labels."
            )
        self._check()

    def __getitem__(self, index: int, /) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"'{self.name}' has {len(self)} images; there is no number {index}.")
        return Sample(self.images[index], int(self.labels[index]), self.keys[index])

    def batches(self, size: int = 256, preprocessing: Preprocessing | None = None) -> Iterator[Batch]:
        for start in range(0, len(self), size):
            rows = slice(start, start + size)
            images = self.images[rows]
            seen = images if preprocessing is None else preprocessing.pixels(images, self.coding)
            yield Batch(seen, self.labels[rows], self.keys[rows])

    def take(self, index: Index, /) -> "ArraySet":
        rows = positions(index, len(self))
        chosen = index if isinstance(index, slice) else rows.to(self.images.device)
        return replace(
            self,
            images=self.images[chosen],
            labels=self.labels[chosen],
            keys=tuple(self.keys[row] for row in rows.tolist()),
        )

    def relabel(self, labels: Int64[Tensor, " n"], classes: tuple[str, ...], name: str | None = None) -> "ArraySet":
        return replace(self, labels=labels, classes=classes, name=name or self.name)

    def to(self, device: torch.device | str, /) -> "ArraySet":
        """The same images on another device, still uint8 (CIFAR's 50,000 are 154 MB)."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    @cached_property
    def fingerprints(self) -> tuple[str, ...]:
        parts = (self.images[start : start + 4096] for start in range(0, len(self), 4096))
        return tuple(look for part in parts for look in fingerprints(part))


class Numbered(Sequence[str]):
    """Keys such as `random-300k/17` without 300,000 strings in memory."""

    def __init__(self, prefix: str, numbers: range) -> None:
        self._prefix, self._numbers = prefix, numbers

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "Numbered": ...
    def __getitem__(self, index: int | slice) -> "str | Numbered":
        if isinstance(index, slice):
            return Numbered(self._prefix, self._numbers[index])
        return f"{self._prefix}/{self._numbers[index]}"

    def __len__(self) -> int:
        return len(self._numbers)


def fingerprints(images: UInt8[Tensor, "n 3 h w"]) -> list[str]:
    """128 bits over pixels and shape of each image, in hex."""
    shape = repr(tuple(images.shape[2:])).encode()[:16]
    rows = images.cpu().contiguous().numpy()
    return [hashlib.blake2b(row.tobytes(), digest_size=16, person=shape).hexdigest() for row in rows]


def positions(index: Index, n: int) -> Int[Tensor, " chosen"]:
    """Row numbers of a slice, a mask or a list of rows.

    Raises:
        DataError: a mask of another length, or a row that is not there.
    """
    if isinstance(index, slice):
        return torch.arange(n)[index]
    rows = torch.as_tensor(index).cpu()
    if rows.dtype == torch.bool:
        if len(rows) != n:
            raise DataError(f"A mask over {n} images must have {n} entries; got {len(rows)}.")
        return rows.nonzero().flatten()
    rows = rows.long()
    if len(rows) and not -n <= int(rows.min()) <= int(rows.max()) < n:
        raise DataError(
            f"There are {n} images, numbered from 0; rows {int(rows.min())}..{int(rows.max())} were asked for."
        )
    return rows % max(n, 1)
