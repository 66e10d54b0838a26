"""A bank in one safetensors file, read piece by piece: for features that do not fit into memory.

Pieces are read, not memory-mapped, so that the resident memory of a process stays at one piece.
"""

import json
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from oodcore.errors import CheckpointError, DataError
from oodcore.records import Bank, Head, Moments, Outputs, moments

__all__ = ["BankOnDisk", "BankWriter"]

NAMES = {torch.float32: "F32", torch.int64: "I64"}
TYPES = {name: dtype for dtype, name in NAMES.items()}
LENGTH = 8  # bytes of a safetensors file that give the length of its header


class Stored(NamedTuple):
    """Where a tensor lies in the file."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    """First byte, from the beginning of the file."""

    @property
    def row_bytes(self) -> int:
        return self.dtype.itemsize * int(torch.Size(self.shape[1:]).numel())


class BankOnDisk:
    """Evidence in a file that `BankWriter` wrote; safetensors readers open it too.

    Args:
        path: The file.

    Raises:
        CheckpointError: not a bank, or cut off.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._stored = _header(self.path)

    def __len__(self) -> int:
        return self._stored["labels"].shape[0]

    @cached_property
    def head(self) -> Head:
        return Head(self._whole("head.weight"), self._whole("head.bias"))

    @cached_property
    def centers(self) -> Tensor | None:
        return self._whole("centers") if "centers" in self._stored else None

    @cached_property
    def moments(self) -> Moments:
        """Computed once, chunk by chunk."""
        return moments(self)

    def chunks(self, size: int = 8192) -> Iterator[Bank]:
        with self.path.open("rb", buffering=0) as file:
            for start in range(0, len(self), size):
                yield self._rows(file, start, min(size, len(self) - start))

    def read(self) -> Bank:
        """Everything, in memory."""
        with self.path.open("rb", buffering=0) as file:
            return self._rows(file, 0, len(self))

    def _rows(self, file: BinaryIO, start: int, count: int) -> Bank:
        parts = {
            name: _read(file, self._stored[name], start, count)
            for name in (*Outputs._fields, "labels")
            if name in self._stored
        }
        labels = parts.pop("labels")
        return Bank(Outputs(**parts), labels, self.head, self.centers)

    def _whole(self, name: str) -> Tensor:
        stored = self._stored[name]
        with self.path.open("rb", buffering=0) as file:
            return _read(file, stored, 0, stored.shape[0])


class BankWriter:
    """Takes outputs batch by batch; the file appears under its name when the last row is in.

    Args:
        path: The file to write; its folder is made.
        rows: How many rows will come.
        head: Of the network.
        centers: Its class centres, where trained.

    Raises:
        DataError: on leaving, where another number of rows came.
    """

    def __init__(self, path: Path | str, rows: int, head: Head, centers: Tensor | None = None) -> None:
        self.path, self.rows, self.done = Path(path), rows, 0
        self._small = {"head.weight": head.weight, "head.bias": head.bias}
        if centers is not None:
            self._small["centers"] = centers
        self._stored: dict[str, Stored] = {}

    def __enter__(self) -> "BankWriter":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = NamedTemporaryFile(dir=self.path.parent, prefix=f".{self.path.name}.", delete=False)
        return self

    def add(self, outputs: Outputs, labels: Int[Tensor, " n"]) -> None:
        """Append rows, from any device; floats are stored in float32."""
        fields = {name: field.float() for name, field in outputs._asdict().items() if field is not None}
        fields["labels"] = labels.long()
        if not self._stored:
            self._lay_out(fields)
        if self.done + len(labels) > self.rows:
            raise DataError(f"The data set gives more rows than the {self.rows} that it announced.")
        for name, field in fields.items():
            stored = self._stored[name]
            self._put(field, stored.start + self.done * stored.row_bytes)
        self.done += len(labels)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None and self.done == self.rows:
            Path(self._file.name).replace(self.path)
            return
        Path(self._file.name).unlink()
        if kind is None:
            raise DataError(f"The data set announced {self.rows} rows and gave {self.done}.")

    def _lay_out(self, fields: dict[str, Tensor]) -> None:
        shapes = {name: (field.dtype, (self.rows, *field.shape[1:])) for name, field in fields.items()}
        shapes |= {name: (torch.float32, tuple(tensor.shape)) for name, tensor in self._small.items()}
        header: dict[str, Any] = {}
        end = 0
        for name, (dtype, shape) in shapes.items():
            begin, end = end, end + dtype.itemsize * int(torch.Size(shape).numel())
            header[name] = {"dtype": NAMES[dtype], "shape": shape, "data_offsets": (begin, end)}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        self._file.write(len(text).to_bytes(LENGTH, "little") + text)
        self._file.truncate(LENGTH + len(text) + end)
        self._stored = {
            name: Stored(dtype, shape, LENGTH + len(text) + header[name]["data_offsets"][0])
            for name, (dtype, shape) in shapes.items()
        }
        for name, tensor in self._small.items():
            self._put(tensor.float(), self._stored[name].start)

    def _put(self, tensor: Tensor, at: int) -> None:
        self._file.seek(at, os.SEEK_SET)
        self._file.write(tensor.detach().cpu().contiguous().numpy().data)


def _header(path: Path) -> dict[str, Stored]:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(LENGTH), "little")
            if not 0 < length < 1 << 24:
                raise CheckpointError(f"'{path}' is not a bank on disk.")
            header = json.loads(file.read(length))
            size = file.seek(0, os.SEEK_END)
        stored = {
            name: Stored(TYPES[part["dtype"]], tuple(part["shape"]), LENGTH + length + part["data_offsets"][0])
            for name, part in header.items()
            if name != "__metadata__"
        }
        end = LENGTH + length + max(part["data_offsets"][1] for name, part in header.items() if name != "__metadata__")
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"'{path}' cannot be read as a bank on disk: {error}.") from None
    if missing := {"logits", "features", "labels", "head.weight", "head.bias"} - set(stored):
        raise CheckpointError(f"'{path}' is not a bank on disk: it lacks {sorted(missing)}.")
    if size < end:
        raise CheckpointError(f"'{path}' is cut off: {size:,} bytes of {end:,}. Collect it again.")
    return stored


def _read(file: BinaryIO, stored: Stored, start: int, count: int) -> Tensor:
    tensor = torch.empty(count, *stored.shape[1:], dtype=stored.dtype)
    view = memoryview(tensor.view(-1).view(torch.uint8).numpy().data)
    file.seek(stored.start + start * stored.row_bytes)
    while view:  # a raw read may stop early
        got = file.readinto(view)  # type: ignore[attr-defined]
        if not got:
            raise CheckpointError("The bank on disk ends before its last row. Collect it again.")
        view = view[got:]
    return tensor
