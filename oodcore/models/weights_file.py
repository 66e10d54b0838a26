"""Tensors out of a file that somebody gave us: safetensors, or a PyTorch pickle that holds nothing else."""

import io
import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from oodcore.errors import CheckpointError

__all__ = ["SUFFIXES", "Upload", "Weights", "check_finite", "read_weights"]

SUFFIXES = (".pt", ".pth", ".th", ".bin", ".ckpt", ".safetensors")
NESTS = ("state_dict", "model_state_dict", "model", "net", "network", "module", "params", "weights", "ema")
PACKED = 2**20  # so many bytes more than it takes in the file, and a part of a zip file is refused
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.")


class Upload(NamedTuple):
    """A file that somebody sent, in memory alone; it is read as one on disk is."""

    name: str
    content: bytes

    @property
    def suffix(self) -> str:
        """As `".pt"`."""
        return Path(self.name).suffix.lower()


class Weights(NamedTuple):
    """A state dict, freed of wrappers and prefixes, and what the file says about it."""

    tensors: dict[str, Tensor]
    about: dict[str, str]


def read_weights(source: Path | Upload, /, *, stripped: bool = True) -> Weights:
    """Read a state dict without running code from the file; `stripped` of the prefixes that wrappers leave.

    Raises:
        CheckpointError: no file, not a state dict, cut off, a pickle that wants code, a file that would unpack to far
            more than it holds, or NaN in the weights.
    """
    if isinstance(source, Path) and not source.is_file():
        raise CheckpointError(f"There is no file '{source}'.")
    if (source.stat().st_size if isinstance(source, Path) else len(source.content)) == 0:
        raise CheckpointError(f"'{source.name}' is empty (0 bytes). Copy or download it again.")
    tensors, about = _safetensors(source) if source.suffix == ".safetensors" else (_pickle(source), {})
    if not tensors:
        raise CheckpointError(f"'{source.name}' holds no tensors. Expected the state dict of a network.")
    weights = _unprefixed(tensors) if stripped else tensors
    check_finite(weights, source.name)
    return Weights(weights, about)


def check_finite(tensors: Mapping[str, Tensor], name: str) -> None:
    """Raise CheckpointError at the first tensor with NaN or infinity."""
    for key, tensor in tensors.items():
        if tensor.layout != torch.strided:
            raise CheckpointError(f"'{name}' holds a sparse tensor, '{key}'. Save it with `.to_dense()`.")
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():  # one number, repeated a lot
            raise CheckpointError(
                f"'{name}' holds a tensor, '{key}', whose {tensor.numel():,} values are not all in the file. Save it "
                "with `.contiguous()`."
            )
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise CheckpointError(
                f"'{name}' holds NaN or infinite weights, first in '{key}': its training diverged. Use an earlier one."
            )


def _safetensors(source: Path | Upload) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load

    try:
        if isinstance(source, Upload):
            return load(source.content), _notes(source.content)
        with safe_open(source, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(
            f"'{source.name}' is cut off, or not a safetensors file ({error}). Copy or download it again."
        ) from None


def _notes(content: bytes) -> dict[str, str]:
    """What a safetensors file says besides its tensors; the library reads that from files on disk only."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return {str(key): str(value) for key, value in header.get("__metadata__", {}).items()}


def _pickle(source: Path | Upload) -> dict[str, Tensor]:
    _refuse_bombs(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's advice about pickle protocols helps nobody here
            content = torch.load(_file(source), map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(_why_not(source.name, error)) from None
    tensors = _nested(content, depth=4)
    if not tensors:
        raise CheckpointError(
            f"'{source.name}' holds {_kind(content)}, no state dict. Save `model.state_dict()` of a PyTorch model."
        )
    return tensors


def _file(source: Path | Upload) -> Path | io.BytesIO:
    return source if isinstance(source, Path) else io.BytesIO(source.content)


def _refuse_bombs(source: Path | Upload) -> None:
    """PyTorch stores its zip files unpacked, but unpacks what others have packed."""
    try:
        with zipfile.ZipFile(_file(source)) as archive:
            packed = [item for item in archive.infolist() if item.file_size > item.compress_size + PACKED]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # the older format, or damaged: what reads it will tell
    if packed:
        raise CheckpointError(
            f"'{source.name}' would unpack to far more than it holds, and was not opened. Save it anew with "
            "`torch.save`."
        )


LAST_OPCODE = 0x98  # a byte beyond is no pickle's: a picture's, or another file's


def _why_not(name: str, error: Exception) -> str:
    """PyTorch raises anything from KeyError to RuntimeError over a broken file; only the text tells what is wrong."""
    said = str(error)
    if "TorchScript" in said:
        return f"'{name}' is a TorchScript program. Save `model.state_dict()` of the PyTorch model instead."
    strange = re.search(r"Unsupported operand (\d+)", said)
    if isinstance(error, pickle.UnpicklingError) and not (strange and int(strange[1]) > LAST_OPCODE):
        wanted = re.search(r"GLOBAL ([\w.]+)", said)
        return (
            f"'{name}' wants to run code ({wanted[1] if wanted else 'more than tensors'}) and was not opened. "
            "Ask for a file with tensors alone: `torch.save(model.state_dict(), …)`, or safetensors."
        )
    if "zip archive" in said or isinstance(error, EOFError):
        return f"'{name}' is cut off or damaged. Copy or download it again."
    return f"'{name}' is damaged or not a PyTorch checkpoint. Expected a state dict ({', '.join(SUFFIXES)})."


def _kind(content: Any) -> str:
    if isinstance(content, Mapping):
        keys = ", ".join(map(str, list(content)[:3]))
        return f"a dictionary ({keys}, …)" if keys else "an empty dictionary"
    return f"a {type(content).__name__}"


def _nested(content: Any, depth: int) -> dict[str, Tensor]:
    """The state dict itself, or the one below `state_dict`, `model`, …; {} where there is none.

    A pickle may hold a dictionary that contains itself, hence the `depth`.
    """
    if not isinstance(content, Mapping) or depth == 0:
        return {}
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if any(key.endswith(("weight", "bias")) for key in tensors):
        return {key: value.detach() for key, value in tensors.items()}
    inside = (_nested(content[key], depth - 1) for key in NESTS if key in content)
    return next((found for found in inside if found), {})


def _unprefixed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without what DataParallel, `torch.compile` and wrappers put before every name."""
    for prefix in PREFIXES:
        if all(key.startswith(prefix) for key in tensors):
            return _unprefixed({key.removeprefix(prefix): value for key, value in tensors.items()})
    return tensors


def strings(text: str | None) -> tuple[str, ...] | None:
    """A JSON list of strings from a file's own notes; None where there is none."""
    try:
        values = json.loads(text or "null")
    except ValueError:
        return None
    return tuple(values) if isinstance(values, list) and all(isinstance(value, str) for value in values) else None
