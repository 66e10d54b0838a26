"""Where image sets are looked for, and where decoded copies are kept."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from oodcore.errors import DataError

__all__ = ["Progress", "cache_folder", "find_root", "roots", "write_once"]

Progress = Callable[[int, int], None]
"""Called with (done, total) in whatever unit the work has: images, or bytes."""


def cache_folder() -> Path:
    """`OOD_CACHE`, else `ood-explorer` in the user's cache folder (XDG). It may not exist yet."""
    if chosen := os.environ.get("OOD_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "ood-explorer"


def roots(root: Path | str | None = None) -> tuple[Path, ...]:
    """Folders in the order in which they are searched: the argument or `OOD_DATA`, `./data`, the user's cache."""
    first = root or os.environ.get("OOD_DATA")
    chosen = [Path(first).expanduser()] if first else []
    return (*chosen, Path("data"), cache_folder() / "data")


def find_root(needs: tuple[str, ...], root: Path | str | None = None) -> Path | None:
    """The first root that holds everything in `needs` (paths relative to it), or None."""
    return next((folder for folder in roots(root) if all((folder / need).exists() for need in needs)), None)


@contextmanager
def write_once(target: Path) -> Iterator[Path]:
    """A temporary folder that becomes `target` when the block succeeds; nothing half-written is ever seen.

    If another process was quicker, its copy stays.

    Raises:
        DataError: the folder cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise _unwritable(target.parent, error) from None
    try:
        yield partial
        _move(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _move(partial: Path, target: Path) -> None:
    try:
        partial.replace(target)
    except OSError as error:
        if not target.exists():
            raise _unwritable(target.parent, error) from None


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(f"'{folder}' cannot be written: {error.strerror}. Set OOD_CACHE to a folder of your own.")
