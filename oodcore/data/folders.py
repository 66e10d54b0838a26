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

__all__ = ["SUFFIXES", "image_folder", "split_folders"]

_OPENERS: Final[dict[bytes, Callable[..., BinaryIO]]] = {
    b"\x1f\x8b\x08": cast("Callable[..., BinaryIO]", gzip.open),
    b"BZh": cast("Callable[..., BinaryIO]", bz2.open),
    b"\xfd7z": cast("Callable[..., BinaryIO]", lzma.open),
}
SPLIT_FOLDERS: Final = frozenset({"train", "calibration", "val", "test"})
SUFFIXES: Final = frozenset({".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})


def image_folder(
    path: Path, split: str | None = None, *, name: str | None = None, role: Role = "own", coding: Coding = "lossless"
) -> FileSet:
    """Pictures of a folder or a tar archive; its sub-folders are the classes. Pictures directly in it have none (-1).

    An archive stays packed; a compressed one is decompressed once, into the user's cache.

    Args:
        path: With class folders, with pictures, or with `train/`, `test/`, … that hold them.
        split: Which of those to take; None takes what lies in `path` itself.
        name: What it is called; by default the folder's or the archive's name.
        role: See `Role`.
        coding: The coding that its pictures have at the network's own size.

    Raises:
        DataError: no such folder or archive, no such part, a damaged archive, or no picture.
    """
    found = _pictures(path)
    if split is not None:
        if split not in (parts := _parts(found)):
            has = f"it holds {', '.join(parts)}" if parts else "it is not divided"
            raise DataError(f"'{path}' has no folder '{split}' with pictures; {has}.")
        found = {PurePosixPath(*key.parts[1:]): piece for key, piece in found.items() if key.parts[0] == split}
    if not found:
        raise DataError(f"'{path}' holds no picture. Give a folder of PNG, JPEG, WebP, GIF, BMP or TIFF files.")
    return _file_set(found, name or path.resolve().name.partition(".tar")[0], role, coding)


def split_folders(path: Path) -> tuple[str, ...]:
    """Which of `train`, `calibration`, `val` and `test` a folder or archive is divided into; empty where it is not.

    Raises:
        DataError: no such folder or archive, or a damaged one.
    """
    return _parts(_pictures(path))


def _parts(found: Iterable[PurePosixPath]) -> tuple[str, ...]:
    heads = {key.parts[0] if len(key.parts) > 1 else "" for key in found}
    return tuple(sorted(heads)) if heads <= SPLIT_FOLDERS else ()


def _pictures(path: Path) -> dict[PurePosixPath, Piece]:
    """Pictures by their place inside the folder or archive, in order."""
    if path.is_dir():
        inside = ((PurePosixPath(file.relative_to(path).as_posix()), Piece(file)) for file in path.rglob("*"))
        found = {key: piece for key, piece in inside if _is_picture(key) and piece.path.is_file()}
    elif path.is_file():
        found = _members(_plain(path))
    else:
        raise DataError(f"There is no folder or archive '{path}'. Check the spelling.")
    return dict(sorted(found.items()))


def _members(archive: Path) -> dict[PurePosixPath, Piece]:
    try:
        with tarfile.open(archive, "r:") as tar:
            members = [member for member in tar if member.isfile()]
    except (tarfile.TarError, OSError):
        raise DataError(f"'{archive}' is damaged or cut off. Get it again.") from None
    every = {PurePosixPath(m.name): Piece(archive, m.offset_data, m.size) for m in members}
    found = {key: piece for key, piece in every.items() if _is_picture(key)}
    top = _wrapper(found)
    return {key.relative_to(top): piece for key, piece in found.items()}


def _file_set(found: dict[PurePosixPath, Piece], name: str, role: Role, coding: Coding) -> FileSet:
    owners = [key.parts[0] if len(key.parts) > 1 else None for key in found]
    classes = tuple(sorted({owner for owner in owners if owner is not None}))
    number = {owner: label for label, owner in enumerate(classes)}
    labels = torch.tensor([-1 if owner is None else number[owner] for owner in owners])
    return FileSet(tuple(found.values()), labels, tuple(map(str, found)), name, role, classes, coding)


def _is_picture(path: PurePosixPath) -> bool:
    return path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in path.parts)


def _wrapper(paths: Iterable[PurePosixPath]) -> PurePosixPath:
    """The one folder that an archive's class folders are wrapped in, if there is one."""
    every = list(paths)
    heads = {path.parts[0] for path in every}
    wrapped = len(heads) == 1 and not heads <= SPLIT_FOLDERS and any(len(path.parts) > 2 for path in every)
    return PurePosixPath(heads.pop()) if wrapped else PurePosixPath()


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
