"""Pictures of outliers: drawn again where code draws them, read where the set is at hand, told how to get otherwise."""

import base64
import io
from collections.abc import Sequence

import numpy as np
import streamlit as st
from jaxtyping import Int64, UInt8
from PIL import Image
from torch import Tensor

from app.services.memory import Memory
from app.services.outliers import DRAWN, Source
from oodcore.data import ImageSet, entry, open_set
from oodcore.data.drawn_sets import imbalanced
from oodcore.data.procedural import SETS, SPLITS, procedural
from oodcore.errors import DataError, UnknownNameError
from oodcore.evaluate.census import Census
from oodcore.evaluate.pictures import HELD_OUT, image_rows, reference_images

__all__ = ["drawn", "numbered", "pictures", "thumbnail", "thumbnails"]


def drawn(name: str) -> bool:
    """Whether pictures of the set can be drawn again anywhere."""
    return name in SETS or imbalanced(name) is not None


def pictures(found: Source, census: Census, chosen: Sequence[int]) -> list[str]:
    """As the browser asks for them: an address on this server, or the picture itself.

    Args:
        found: Where the numbers are from.
        census: All of it or a part.
        chosen: Positions in this census.

    Raises:
        DataError: the set is not at hand; the sentence says how to get it.
    """
    if (folder := thumbnails(found)) is not None:
        return [f"{folder}{numbered(found, census)[position]}.png" for position in chosen]
    images = _kept(found.census.name, found.measured, found.beside) if found.of_reference else _whole(*_place(found))
    return [_uri(images[int(census.rows[position])].image) for position in chosen]


def thumbnails(found: Source) -> str | None:
    """Where the browser finds drawn pictures by their number; None for other sets."""
    name, split = _place(found)
    return f"drawn/{name}/{split}/" if drawn(name) else None


def numbered(found: Source, census: Census) -> Int64[np.ndarray, " m"]:
    """What a drawn set calls each picture of a census."""
    if not found.of_reference or not drawn(census.name):
        return census.rows.numpy()
    return image_rows(found.measured, _count(_split(found)))[census.rows].numpy()


def _count(split: str) -> int:
    return next((count for part, count in SPLITS.items() if part == split), 0)


def _place(found: Source) -> tuple[str, str]:
    return found.census.name, _split(found)


def _split(found: Source) -> str:
    if not found.of_reference:
        return found.census.split
    known = entry(found.census.name)
    return "test" if known.role != "auxiliary" else next(part for part in HELD_OUT if part in known.splits)


@st.cache_resource(max_entries=2, show_spinner=False)
def _whole(name: str, split: str) -> ImageSet:
    return open_set(name, split)


@st.cache_resource(max_entries=4, show_spinner=False)
def _kept(name: str, measured: int, beside: tuple[str, ...]) -> ImageSet:
    return reference_images(name, measured, beside)


def thumbnail(name: str, split: str, number: int) -> bytes:
    """One drawn picture as PNG.

    Raises:
        UnknownNameError, DataError: no such set, split or picture.
    """
    return _THUMBNAILS.find((name, split, number), lambda: _draw(name, split, number))


_THUMBNAILS: Memory[tuple[str, str, int], bytes] = Memory(4096)


def _draw(name: str, split: str, number: int) -> bytes:
    part = next((part for part in SPLITS if part == split), None)
    if not drawn(name) or part is None:
        raise UnknownNameError(f"There is no drawn set '{name}' with a part '{split}'.")
    if not 0 <= number < SPLITS[part]:
        raise DataError(f"'{name}' has no picture {number}.")
    family, imbalance = (name, 1.0) if name in SETS else (DRAWN, float(name.removeprefix(f"{DRAWN}-")))
    return _png(procedural(family, part, imbalance=imbalance, rows=[number])[0].image)


def _uri(image: UInt8[Tensor, "3 h w"]) -> str:
    return "data:image/png;base64," + base64.b64encode(_png(image)).decode()


def _png(image: UInt8[Tensor, "3 h w"]) -> bytes:
    data = io.BytesIO()
    Image.fromarray(image.movedim(0, -1).contiguous().numpy()).save(data, "PNG")
    return data.getvalue()
