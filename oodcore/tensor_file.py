"""Safetensors files: how they are written."""

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from oodcore.atomic import replacing

__all__ = ["write_tensors"]


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
