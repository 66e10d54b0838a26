"""A folder or a tar archive of pictures: one folder per class, or all in one."""

import bz2
import gzip
import lzma
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, cast

import torch

from oodcore.data.archives import file_digest
from oodcore.data.files import FileSet, Piece
from oodcore.data.images import Role
from oodcore.data.roots import cache_folder, write_once
from oodcore.data.transforms import Coding
from oodcore.errors import DataError

__all__ = ["SUFFIXES", "image_folder", "image_tar"]

_OPENERS: Final[dict[bytes, Callable[..., BinaryIO]]] = {
    b"\x1f\x8b\x08": cast("Callable[..., BinaryIO]", gzip.open),
    b"BZh": cast("Callable[..., BinaryIO]", bz2.open),
    b"\xfd7z": cast("Callable[..., BinaryIO]", lzma.open),
}
SUFFIXES: Final = frozenset({".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})


def image_folder(
    folder: Path, split: str | None = None, *, name: str | None = None, role: Role = "own", coding: Coding = "lossless"
) -> FileSet:
    """Pictures of a folder; its sub-folders are the classes. Pictures directly in it have no class (-1).

    Args:
        folder: With class folders, with pictures, or with `train/`, `test/`, … that hold them.
        split: Which of those to take, where they are there.
        name: What it is called; by default the folder's name.
        role: See `Role`.
        coding: The coding that its pictures have at the network's own size.

    Raises:
        DataError: no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder '{folder}'. Check the spelling.")
    inside = folder / split if split and (folder / split).is_dir() else folder
    paths = sorted(path for path in inside.rglob("*") if _is_picture(path.relative_to(inside)) and path.is_file())
    found = [(path.relative_to(inside).as_posix(), Piece(path)) for path in paths]
    return _file_set(found, inside, name or folder.resolve().name, role, coding)


def image_tar(
    archive: Path, split: str | None = None, *, name: str | None = None, role: Role = "own", coding: Coding = "lossless"
) -> FileSet:
    """The same from a tar archive, which stays packed; a compressed one is decompressed once, into the user's cache.

    Raises:
        DataError: no such file, no tar archive, or no picture in it.
    """
    if not archive.is_file():
        raise DataError(f"There is no archive '{archive}'. Check the spelling.")
    plain = _plain(archive)
    with tarfile.open(plain, "r:") as tar:
        members = [member for member in tar if member.isfile()]
    found = {PurePosixPath(m.name): Piece(plain, m.offset_data, m.size) for m in members}
    found = {path: piece for path, piece in found.items() if _is_picture(path)}
    top = _common_top(found)
    if split and any(path.is_relative_to(top / split) for path in found):
        top = top / split
    inside = sorted(
        (path.relative_to(top).as_posix(), piece) for path, piece in found.items() if path.is_relative_to(top)
    )
    return _file_set(inside, archive, name or archive.name.partition(".")[0], role, coding)


def _file_set(found: list[tuple[str, Piece]], where: Path, name: str, role: Role, coding: Coding) -> FileSet:
    if not found:
        raise DataError(f"'{where}' holds no picture. Give a folder of PNG, JPEG, WebP, GIF, BMP or TIFF files.")
    owners = [key.split("/")[0] if "/" in key else None for key, _ in found]
    classes = tuple(sorted({owner for owner in owners if owner is not None}))
    number = {owner: label for label, owner in enumerate(classes)}
    labels = torch.tensor([-1 if owner is None else number[owner] for owner in owners])
    return FileSet([piece for _, piece in found], labels, tuple(key for key, _ in found), name, role, classes, coding)


def _is_picture(path: Path | PurePosixPath) -> bool:
    hidden = any(part.startswith(".") and part != "." for part in path.parts)
    return path.suffix.lower() in SUFFIXES and not hidden


def _common_top(paths: Iterable[PurePosixPath]) -> PurePosixPath:
    """The folder that a tar archive is wrapped in: as far down as there is exactly one folder and no picture."""
    paths, top = list(paths), PurePosixPath()
    while True:
        inside = {path.relative_to(top).parts for path in paths}
        heads = {parts[0] for parts in inside}
        if len(heads) != 1 or any(len(parts) < 3 for parts in inside):
            return top
        top = top / heads.pop()


def _plain(archive: Path) -> Path:
    try:
        with tarfile.open(archive, "r:"):
            return archive
    except tarfile.TarError:
        pass  # compressed, or no archive at all: the next attempt tells
    store = cache_folder() / "tars" / file_digest(archive)[:32]
    if not store.exists():
        with write_once(store) as partial:
            _decompress(archive, partial / "plain.tar")
    return store / "plain.tar"


def _decompress(archive: Path, target: Path) -> None:
    """Raises DataError unless a whole tar archive comes out."""
    with archive.open("rb") as file:
        start = file.read(3)
    try:
        with _OPENERS[start](archive, "rb") as packed, target.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
        with tarfile.open(target, "r:"):
            return
    except (KeyError, tarfile.TarError, lzma.LZMAError, zlib.error, OSError, EOFError):
        raise DataError(f"'{archive}' is no tar archive, or damaged. Get it again, or give a folder.") from None
