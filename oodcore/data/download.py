"""Files from the network: whole and with the right checksum, or not at all."""

import gzip
import hashlib
import http.client
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from oodcore.data.roots import Progress
from oodcore.errors import DataError

__all__ = ["Download", "fetch"]

_BLOCK = 2**18


class Download(NamedTuple):
    """One file; an archive is unpacked where it lies."""

    url: str
    path: str
    """Relative to the root."""
    md5: str
    """As its publisher gives it; against broken transfers, not against attackers."""


def fetch(download: Download, root: Path, progress: Progress | None = None) -> None:
    """Download one file into `root` and unpack it; a file that is there with the right checksum is kept.

    Args:
        download: What.
        root: Created if it is missing.
        progress: Called with (bytes, bytes in all; 0 if unknown).

    Raises:
        DataError: no network, a wrong checksum, no space, or no permission.
    """
    target = root / download.path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or _md5(target) != download.md5:
            _transfer(download, target, progress)
        _unpack(target)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        raise DataError(f"'{download.url}' cannot be reached ({reason}). Try again where there is a network.") from None
    except (OSError, EOFError, tarfile.TarError) as error:
        raise DataError(f"'{target}' cannot be written or unpacked ({error}).") from None


def _transfer(download: Download, target: Path, progress: Progress | None) -> None:
    with tempfile.TemporaryDirectory(prefix=".get-", dir=target.parent) as folder:
        partial = Path(folder) / "file"
        with urllib.request.urlopen(download.url, timeout=60) as source, partial.open("wb") as file:  # noqa: S310  our own addresses
            total = int(source.headers.get("Content-Length") or 0)
            while block := source.read(_BLOCK):
                file.write(block)
                if progress:
                    progress(file.tell(), total)
        if (found := _md5(partial)) != download.md5:
            raise DataError(f"'{download.url}' gave other content than expected (md5 {found}). Try again later.")
        partial.replace(target)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _unpack(path: Path) -> None:
    if path.suffix == ".gz" and ".tar" not in path.suffixes and not path.name.endswith(".tgz"):
        with tempfile.TemporaryDirectory(prefix=".get-", dir=path.parent) as folder:
            partial = Path(folder) / "file"
            with gzip.open(path, "rb") as packed, partial.open("wb") as plain:
                shutil.copyfileobj(packed, plain)
            partial.replace(path.with_suffix(""))
    elif tarfile.is_tarfile(path):
        with tempfile.TemporaryDirectory(prefix=".get-", dir=path.parent) as folder:
            with tarfile.open(path) as tar:
                tar.extractall(folder, filter="data")
            for part in Path(folder).iterdir():
                _replace(part, path.parent / part.name)


def _replace(part: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    part.replace(target)
