"""Picture files, read when they are asked for: image folders, tar archives and lists too large for memory."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from PIL import Image
from torch import Tensor

from oodcore.data.decode import decode
from oodcore.data.images import Batch, ImageSet, Index, Role, Sample, fingerprints, positions
from oodcore.data.transforms import Coding, Preprocessing
from oodcore.errors import DataError

__all__ = ["FileSet", "Piece"]


class Piece(NamedTuple):
    """A picture's bytes: a whole file, or a stretch of a tar archive."""

    path: Path
    start: int = 0
    length: int | None = None

    def read(self) -> bytes:
        """Its bytes."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                return file.read(-1 if self.length is None else self.length)
        except OSError as error:
            raise DataError(f"'{self.path}' cannot be read: {error.strerror}.") from None


@dataclass(frozen=True, eq=False)
class FileSet(ImageSet):
    """Pictures of any size, decoded on the way. Several threads decode a batch; the order stays."""

    pieces: Sequence[Piece]
    labels: Int64[Tensor, " n"]
    keys: Sequence[str]
    name: str = "pictures"
    role: Role = "own"
    classes: tuple[str, ...] = ()
    coding: Coding = "lossless"

    def __post_init__(self) -> None:
        self._check()

    def __getitem__(self, index: int, /) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"'{self.name}' has {len(self)} images; there is no number {index}.")
        return Sample(_pixels(self._picture(index)), int(self.labels[index]), self.keys[index])

    def batches(self, size: int = 256, preprocessing: Preprocessing | None = None) -> Iterator[Batch]:
        def load(index: int) -> Tensor:
            picture = self._picture(index)
            return _pixels(picture) if preprocessing is None else preprocessing.pixels(picture, self.coding)

        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            for start in range(0, len(self), size):
                rows = range(start, min(start + size, len(self)))
                images = list(pool.map(load, rows))
                yield Batch(self._stack(images), self.labels[start : rows.stop], self.keys[start : rows.stop])

    def take(self, index: Index, /) -> "FileSet":
        rows = positions(index, len(self))
        return replace(
            self,
            pieces=tuple(self.pieces[row] for row in rows.tolist()),
            labels=self.labels[rows],
            keys=tuple(self.keys[row] for row in rows.tolist()),
        )

    def relabel(self, labels: Int64[Tensor, " n"], classes: tuple[str, ...], name: str | None = None) -> "FileSet":
        return replace(self, labels=labels, classes=classes, name=name or self.name)

    @cached_property
    def fingerprints(self) -> tuple[str, ...]:
        def look(index: int) -> str:
            return fingerprints(_pixels(self._picture(index))[None])[0]

        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            return tuple(pool.map(look, range(len(self))))

    @cached_property
    def identities(self) -> tuple[str, ...]:
        return tuple(hashlib.blake2b(piece.read(), digest_size=16).hexdigest() for piece in self.pieces)

    def _picture(self, index: int) -> Image.Image:
        return decode(self.pieces[index].read(), f"{self.name}: {self.keys[index]}")

    def _stack(self, images: list[Tensor]) -> UInt8[Tensor, "n 3 h w"]:
        if len({image.shape for image in images}) > 1:
            raise DataError(f"The pictures of '{self.name}' differ in size. Give a preprocessing to bring them to one.")
        return torch.stack(images)


def _pixels(picture: Image.Image) -> UInt8[Tensor, "3 h w"]:
    return torch.from_numpy(np.array(picture)).movedim(-1, 0).contiguous()
