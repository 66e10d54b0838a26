"""Archives of equally sized pictures in class folders, decoded once and memory-mapped ever after."""

import hashlib
import io
import json
import lzma
import tarfile
import zlib
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from oodcore.data.decode import decode
from oodcore.data.roots import Progress, cache_folder, write_once
from oodcore.errors import DataError

__all__ = ["Stored", "file_digest", "read_archive"]


class Stored(NamedTuple):
    """Decoded pictures of one folder of an archive, in the archive's order."""

    images: UInt8[Tensor, "n 3 h w"]  # memory-mapped
    keys: tuple[str, ...]  # CLASS/FILE
    names: tuple[str, ...]  # CLASS, one per image


def read_archive(archive: Path, folder: str, progress: Progress | None = None) -> Stored:
    """The pictures in `folder/CLASS/FILE` of a tar archive, however compressed.

    The first call decodes the whole archive (CIFAR-10: about 15 s) into the user's cache, under the archive's
    sha256; later calls map that file into memory.

    Args:
        archive: The tar file.
        folder: Path inside it that holds the class folders, as `"cifar10_jpeg32/train"`.
        progress: Called with (bytes read, bytes in all) during the first call.

    Raises:
        DataError: the archive is damaged, holds no such folder, or a picture in it cannot be decoded.
    """
    store = cache_folder() / "arrays" / f"{archive.name.partition('.')[0]}-{file_digest(archive)[:16]}"
    if not store.exists():
        with write_once(store) as partial:
            _decode_all(archive, partial, progress)
    index: dict[str, list[str]] = json.loads((store / "index.json").read_text())
    if folder not in index:
        raise DataError(f"'{archive}' holds no folder '{folder}' with class folders in it; it holds {sorted(index)}.")
    images = np.load(store / _file_name(folder), mmap_mode="c")
    keys = tuple(index[folder])
    return Stored(torch.from_numpy(images), keys, tuple(key.split("/")[0] for key in keys))


def file_digest(path: Path) -> str:
    """sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file_name(folder: str) -> str:
    return f"{folder.replace('/', '--')}.npy"


def _decode_all(archive: Path, target: Path, progress: Progress | None) -> None:
    pixels: dict[str, list[np.ndarray]] = defaultdict(list)
    keys: dict[str, list[str]] = defaultdict(list)
    total = archive.stat().st_size
    try:
        with archive.open("rb") as raw, tarfile.open(fileobj=raw) as tar:
            for member in tar:
                parts = member.name.removeprefix("./").split("/")
                if not member.isfile() or len(parts) < 3:
                    continue
                picture = decode(_content(tar, member), f"{archive.name}:{member.name}")
                pixels["/".join(parts[:-2])].append(np.asarray(picture).transpose(2, 0, 1))
                keys["/".join(parts[:-2])].append("/".join(parts[-2:]))
                if progress:
                    progress(raw.tell(), total)
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        raise DataError(f"'{archive}' is damaged or cut off ({error}). Get it again.") from None
    for folder, images in pixels.items():
        np.save(target / _file_name(folder), _stack(images, f"{archive.name}:{folder}"))
    (target / "index.json").write_text(json.dumps(keys))


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    return (tar.extractfile(member) or io.BytesIO()).read()


def _stack(images: list[np.ndarray], name: str) -> np.ndarray:
    if len(sizes := {image.shape for image in images}) > 1:
        raise DataError(f"'{name}' holds pictures of {len(sizes)} sizes. Unpack it and give the folder instead.")
    return np.stack(images)
