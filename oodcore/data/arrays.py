"""Arrays on disk: `.npz` with images and labels, and `.npy` of images alone, mapped and never loaded whole."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from oodcore.data.images import ArraySet, Numbered, Role
from oodcore.data.transforms import Coding
from oodcore.errors import DataError

__all__ = ["image_npy", "image_npz", "read_npz"]

_IMAGES = ("images", "image", "x", "X", "data", "arr_0")
_LABELS = ("labels", "label", "y", "Y", "targets", "arr_1")


def image_npz(path: Path, *, name: str | None = None, role: Role = "own", coding: Coding = "lossless") -> ArraySet:
    """`images` (n, h, w, 3), (n, 3, h, w) or (n, h, w), uint8 or 0..1, with optional `labels` and `classes`.

    Raises:
        DataError: not an .npz, no images in it, a wrong shape, NaN, or labels that do not fit.
    """
    content = read_npz(path)
    where = next((key for key in _IMAGES if key in content), None)
    if where is None:
        raise DataError(f"'{path}' needs an array called 'images'; it holds {sorted(content)}.")
    images = as_images(content[where], str(path))
    labels = _labels(next((content[key] for key in _LABELS if key in content), None), len(images), path)
    names = content.get("classes", np.arange(int(labels.max()) + 1 if len(labels) else 0))
    classes = tuple(str(name) for name in names.tolist())
    title = name or path.stem
    return ArraySet(images, labels, Numbered(title, range(len(images))), title, role, classes, coding)


def image_npy(path: Path, *, name: str | None = None, role: Role = "own", coding: Coding = "lossless") -> ArraySet:
    """uint8 images (n, h, w, 3) without labels, as the 300,000 random images; read from disk row by row.

    Raises:
        DataError: not an .npy, or a wrong shape or type.
    """
    try:
        images = np.lib.format.open_memmap(path, mode="c")
    except (OSError, ValueError, EOFError):
        raise DataError(f"'{path}' is no readable .npy array of numbers. Get it again.") from None
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        found = f"{images.dtype} {images.shape}"
        raise DataError(f"'{path}' must hold uint8 images of shape (n, height, width, 3); got {found}.")
    title = name or path.stem
    mapped = torch.from_numpy(images).movedim(-1, 1)
    unlabelled = torch.full((len(mapped),), -1)
    return ArraySet(mapped, unlabelled, Numbered(title, range(len(mapped))), title, role, (), coding)


def read_npz(path: Path, only: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Arrays of an `.npz`, without ever unpickling: all of them, or those named in `only`.

    Raises:
        DataError: missing, damaged, or holding Python objects.
    """
    if not path.is_file():
        raise DataError(f"There is no file '{path}'. Check the spelling.")
    try:
        with zipfile.ZipFile(path) as archive:
            names = only or [name.removesuffix(".npy") for name in archive.namelist()]
        with np.load(path) as content:
            return {name: content[name] for name in names}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
        raise DataError(f"'{path}' is no readable .npz of plain numbers, or damaged. Save it again.") from None


def as_images(values: np.ndarray, name: str) -> UInt8[Tensor, "n 3 h w"]:
    """uint8 NCHW from the usual layouts.

    Raises:
        DataError: another shape, another type, NaN, or values outside 0..1.
    """
    if values.ndim == 3:
        values = np.repeat(values[..., None], 3, axis=-1)
    if values.ndim == 4 and values.shape[3] != 3 and values.shape[1] == 3:
        values = values.transpose(0, 2, 3, 1)
    if values.ndim != 4 or values.shape[3] != 3 or 0 in values.shape:
        raise DataError(f"'{name}' must hold at least one image, as (n, height, width, 3); got {values.shape}.")
    if np.issubdtype(values.dtype, np.floating):
        values = _from_unit_interval(values, name)
    if values.dtype != np.uint8:
        raise DataError(f"'{name}' must hold images as uint8 or as 0..1 in floating point; got {values.dtype}.")
    return torch.from_numpy(np.array(values.transpose(0, 3, 1, 2), order="C"))


def _from_unit_interval(values: np.ndarray, name: str) -> np.ndarray:
    if not np.isfinite(values).all():
        raise DataError(f"'{name}' holds NaN or infinite pixel values. Replace those images.")
    if values.min() < 0 or values.max() > 1:
        raise DataError(f"'{name}' holds floating-point pixels outside 0..1. Save images as uint8, not normalised.")
    return np.rint(values * 255).astype(np.uint8)


def _labels(values: Any, n: int, path: Path) -> Tensor:
    if values is None:
        return torch.full((n,), -1)
    if not np.issubdtype(values.dtype, np.integer) or values.shape != (n,):
        raise DataError(f"'{path}' needs {n} whole numbers as labels; got {values.dtype} {values.shape}.")
    return torch.from_numpy(values.astype(np.int64))
