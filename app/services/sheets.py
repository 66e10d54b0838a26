"""Thumbnails of a checkpoint's reference images: hundreds in one picture, made when a browser first asks for it.

A page only needs the address. Drawing or reading the images takes seconds at worst, and happens away from it.
"""

import hashlib
import io
import math
from threading import Lock
from typing import NamedTuple

import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from app.services.memory import Memory
from app.services.resources import Exhibit, is_auxiliary
from oodcore.data import entry
from oodcore.errors import OODError, UnknownNameError
from oodcore.evaluate.pictures import verified_images

__all__ = ["COLUMNS", "Sheet", "content", "how_to_get", "sheet"]

COLUMNS = 32
LARGEST = 48  # pixels of a thumbnail's side


class Sheet(NamedTuple):
    """Where a browser finds the thumbnails of a set; number i belongs to row i of the reference."""

    url: str
    rows: int


def sheet(shown: Exhibit, name: str) -> Sheet | None:
    """Of a reference set; None where its images are not on this machine."""
    if how_to_get(name) is not None:
        return None
    key = hashlib.sha256(f"{shown.key} {name} {shown.measured.get(name)}".encode()).hexdigest()[:40]
    _WANTED.put(key, (shown, name))
    return Sheet(f"sheets/{key}.webp", math.ceil(len(shown.reference[name]) / COLUMNS))


def how_to_get(name: str) -> str | None:
    """A sentence where the images of a set are not on this machine; None where they are."""
    try:
        known = entry(name)
    except UnknownNameError:
        return f"The catalogue does not know '{name}', so its images cannot be found again."
    return None if known.present() else f"{known.title} is not on this machine. {known.how}"


def content(key: str) -> bytes | None:
    """The picture itself, as WebP; None where nobody asked for this key, or where the images are other ones by now."""
    if (made := _MADE.get(key)) is not None:
        return made
    wanted = _WANTED.get(key)
    if wanted is None:
        return None
    with _ONE_AT_A_TIME:
        try:
            return _MADE.find(key, lambda: _encoded(_tiles(*wanted)))
        except OODError:
            return None


_WANTED: Memory[str, tuple[Exhibit, str]] = Memory(256)
_MADE: Memory[str, bytes] = Memory(64)
_ONE_AT_A_TIME = Lock()


def _tiles(shown: Exhibit, name: str) -> UInt8[Tensor, "n 3 s s"]:
    """What the network sees of each row, small; only after the network itself has recognised the images."""
    auxiliary = [other for other in shown.reference if is_auxiliary(other)]
    images = verified_images(shown.model, name, shown.reference[name], shown.measured[name], auxiliary)
    seen = torch.cat([batch.images for batch in images.batches(256, shown.model.transform)])
    if seen.shape[-1] <= LARGEST:
        return seen
    return interpolate(seen.float(), size=(LARGEST, LARGEST), mode="area").round().to(torch.uint8)


def _encoded(tiles: UInt8[Tensor, "n 3 s s"]) -> bytes:
    n, _, side, _ = tiles.shape
    rows = math.ceil(n / COLUMNS)
    grid = torch.zeros(rows * COLUMNS, 3, side, side, dtype=torch.uint8)
    grid[:n] = tiles
    whole = grid.reshape(rows, COLUMNS, 3, side, side).permute(0, 3, 1, 4, 2).reshape(rows * side, COLUMNS * side, 3)
    data = io.BytesIO()
    Image.fromarray(whole.contiguous().numpy()).save(data, "WEBP", quality=88, method=2)
    return data.getvalue()
