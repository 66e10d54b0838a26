"""Thumbnails of a checkpoint's reference images: hundreds in one picture, made when a browser first asks for it.

A page only needs the address. Drawing or reading the images takes seconds at worst, and happens away from it.
"""

import asyncio
import hashlib
import io
import math
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from app.services.memory import Memory
from app.services.resources import Exhibit, exhibit, folders, is_auxiliary
from oodcore.data import entry
from oodcore.errors import OODError, UnknownNameError
from oodcore.evaluate.pictures import verified_images

__all__ = ["COLUMNS", "Sheet", "content", "how_to_get", "sheet", "soon"]

COLUMNS = 32
LARGEST = 48  # pixels of a thumbnail's side
AGAIN = 300  # seconds until images that were other ones are looked at again


class Sheet(NamedTuple):
    """Where a browser finds the thumbnails of a set; number i belongs to row i of the reference."""

    url: str
    rows: int


def sheet(shown: Exhibit, name: str) -> Sheet | None:
    """Of a reference set; None where its images are not on this machine."""
    if how_to_get(name) is not None:
        return None
    key = _key(shown, name)
    _WANTED.put(key, (shown.name, name))
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
    if _hopeless(key):
        return None
    try:
        return _MADE.put(key, _encoded(_tiles(*_found(key))))
    except (OODError, LookupError):
        _REFUSED.put(key, time.monotonic())
        return None


async def soon(key: str) -> bytes | None:
    """The same for the event loop, which goes on meanwhile.

    What has to be made is made by a thread for this alone, one after the other, and once for all who wait for it.
    """
    if _MADE.get(key) is not None or _hopeless(key):
        return content(key)
    if (making := _UNDER_WAY.get(key)) is None:
        making = _UNDER_WAY[key] = _MAKER.submit(content, key)
        making.add_done_callback(lambda _: _UNDER_WAY.pop(key, None))
    return await asyncio.shield(asyncio.wrap_future(making))


_WANTED: Memory[str, tuple[str, str]] = Memory(256)
_MADE: Memory[str, bytes] = Memory(64)
_REFUSED: Memory[str, float] = Memory(256)
_UNDER_WAY: dict[str, Future[bytes | None]] = {}
_MAKER = ThreadPoolExecutor(1, "sheets")


def _hopeless(key: str) -> bool:
    """Whether nobody asked for it, or its images were other ones a moment ago."""
    refused = _REFUSED.get(key)
    return _WANTED.get(key) is None or (refused is not None and time.monotonic() - refused < AGAIN)


def _key(shown: Exhibit, name: str) -> str:
    return hashlib.sha256(f"{shown.key} {name} {shown.measured.get(name)}".encode()).hexdigest()[:40]


def _found(key: str) -> tuple[Exhibit, str]:
    """What a page asked for under this key; a checkpoint that was replaced meanwhile is another one.

    Raises:
        LookupError: it is not here any more.
        CheckpointError: it cannot be opened.
    """
    asked = _WANTED.get(key)
    shown = None if asked is None else exhibit(folders()[asked[0]])
    if asked is None or shown is None or _key(shown, asked[1]) != key:
        raise LookupError(key)
    return shown, asked[1]


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
