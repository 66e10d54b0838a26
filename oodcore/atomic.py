"""A file is there whole, or as it was before: written under another name beside it, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["replacing"]


@contextmanager
def replacing(path: Path, /) -> Iterator[Path]:
    """A name to write to; it becomes `path` when the body ends, and is removed when the body raises.

    The file is readable to whom a new file of this user would be, whatever the writer does. Its folder is made.

    Raises:
        OSError: it cannot be written there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.touch()
        usual = part.stat().st_mode
        yield part
        part.chmod(usual)  # some writers put a file for the owner alone in its place
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
