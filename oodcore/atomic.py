"""A file is there whole, or as it was before: written under another name beside it, then renamed."""

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from torch import Tensor

__all__ = ["replacing", "write_tensors"]


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


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str] | None = None, /) -> None:
    """A safetensors file, whole or as it was before; tensors may lie on any device and share memory.

    Raises:
        OSError: it cannot be written: a full disk, missing rights.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    apart = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as part:
        try:
            save_file(apart, part, None if header is None else dict(header))
        except SafetensorError as error:  # its own name for what the system refuses
            told = re.search(r"os error (\d+)", str(error))
            number = int(told[1]) if told else errno.EIO
            raise OSError(number, os.strerror(number), str(path)) from None
