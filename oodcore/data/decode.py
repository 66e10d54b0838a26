"""The one safe decoder: whatever a person hands over becomes an RGB picture, or one sentence says why not."""

import io
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from oodcore.errors import DataError

__all__ = ["FORMATS", "MAX_BYTES", "MAX_PIXELS", "decode"]

MAX_BYTES = 64 * 2**20
MAX_PIXELS = 24_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")  # no EPS: it would start Ghostscript

_KNOWN = "PNG, JPEG, WebP, GIF, BMP or TIFF"
_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N", "I")

# Pillow's own limit is laxer than ours and only warns; the refusal below is the one message a person should see.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


def decode(
    source: bytes | str | Path | BinaryIO,
    name: str | None = None,
    *,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
) -> Image.Image:
    """The picture, upright, in RGB, 8 bits a channel: transparency on white, the first frame of an animation.

    Args:
        source: The file's bytes, its path, or an open binary file.
        name: What messages call it; by default the file's own name.
        max_bytes: Largest file, in bytes, checked before it is read.
        max_pixels: Largest width × height, checked before it is decoded.

    Raises:
        DataError: missing, a folder, empty, too large, damaged, or no picture at all; the sentence names the file.
    """
    if isinstance(source, str):
        source = Path(source)
    name = name or _name(source)
    content = _read(source, name, max_bytes)
    try:
        with Image.open(io.BytesIO(content), formats=_formats()) as picture:
            _limit(picture.width, picture.height, max_pixels, name)
            picture.load()
            _turn_upright(picture)
            return _to_rgb(picture, name)
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"'{name}' is not a picture that can be read here. Give a {_KNOWN} file.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(_too_many_pixels(name, "far more", max_pixels)) from None
    except MemoryError:
        raise DataError(f"'{name}' needs more memory than there is. Scale it down and try again.") from None
    except Exception:  # on damaged files Pillow's plug-ins raise nearly anything: OSError, SyntaxError, struct.error
        raise DataError(f"'{name}' is damaged or cut off. Save or download it again, as {_KNOWN}.") from None


@cache
def _formats() -> tuple[str, ...]:
    """Those that this build of Pillow reads; it raises KeyError over any other."""
    Image.init()
    return tuple(kind for kind in FORMATS if kind in Image.OPEN)


def _name(source: bytes | Path | BinaryIO) -> str:
    if isinstance(source, Path):
        return source.name or str(source)
    found = getattr(source, "name", None)
    return Path(found).name if isinstance(found, str) and found else "the picture"


def _read(source: bytes | Path | BinaryIO, name: str, max_bytes: int) -> bytes:
    content = _read_path(source, name, max_bytes) if isinstance(source, Path) else _read_open(source, max_bytes)
    if not content:
        raise DataError(f"'{name}' is empty (0 bytes). Save or download it again.")
    if len(content) > max_bytes:
        raise DataError(_too_many_bytes(name, max_bytes))
    return content


def _read_open(source: bytes | BinaryIO, max_bytes: int) -> bytes:
    return source if isinstance(source, bytes) else source.read(max_bytes + 1)


def _read_path(path: Path, name: str, max_bytes: int) -> bytes:
    try:
        if path.is_dir():
            raise DataError(f"'{path}' is a folder. Give the pictures in it, one by one.")
        if not path.exists():
            raise DataError(f"There is no file '{path}'. Check the spelling and the folder.")
        if not path.is_file():
            raise DataError(f"'{path}' is no regular file. Give a {_KNOWN} file.")
        if path.stat().st_size > max_bytes:
            raise DataError(_too_many_bytes(name, max_bytes))
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        if isinstance(error, DataError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"'{name}' cannot be read: {reason}. Check its permissions.") from None


def _too_many_bytes(name: str, max_bytes: int) -> str:
    return f"'{name}' is larger than the limit of {max_bytes / 2**20:.3g} MiB. Scale the picture down."


def _too_many_pixels(name: str, found: str, max_pixels: int) -> str:
    return f"'{name}' has {found} than the limit of {max_pixels / 1e6:.3g} million pixels. Scale it down and try again."


def _limit(width: int, height: int, max_pixels: int, name: str) -> None:
    if width * height > max_pixels:
        raise DataError(_too_many_pixels(name, f"{width} × {height} pixels, more", max_pixels))


def _turn_upright(picture: Image.Image) -> None:
    # A damaged EXIF block is no reason to refuse a good picture; Pillow then raises nearly anything.
    with suppress(Exception):
        ImageOps.exif_transpose(picture, in_place=True)


def _to_rgb(picture: Image.Image, name: str) -> Image.Image:
    if picture.mode in _SIXTEEN_BIT:
        return _from_sixteen_bit(picture, name)
    if picture.mode == "F":
        raise DataError(f"'{name}' holds floating-point values of unknown range. Save it as an 8-bit PNG or JPEG.")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return picture.convert("RGB")


def _from_sixteen_bit(picture: Image.Image, name: str) -> Image.Image:
    """`convert("RGB")` would clip to 255; 65535 / 257 = 255 exactly."""
    values = np.asarray(picture).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise DataError(f"'{name}' holds grey values outside 0..65535. Save it as an 8-bit or 16-bit PNG.")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")
