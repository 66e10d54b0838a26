"""Tensors out of a file that somebody gave us: safetensors, or a PyTorch pickle that holds nothing else."""

import json
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from oodcore.errors import CheckpointError

__all__ = ["SUFFIXES", "Weights", "check_finite", "read_weights"]

SUFFIXES = (".pt", ".pth", ".th", ".bin", ".ckpt", ".safetensors")
NESTS = ("state_dict", "model_state_dict", "model", "net", "network", "module", "params", "weights", "ema")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.")


class Weights(NamedTuple):
    """A state dict, freed of wrappers and prefixes, and what the file says about it."""

    tensors: dict[str, Tensor]
    about: dict[str, str]


def read_weights(path: Path, /, *, stripped: bool = True) -> Weights:
    """Read a state dict without running code from the file; `stripped` of the prefixes that wrappers leave.

    Raises:
        CheckpointError: no file, not a state dict, cut off, a pickle that wants code, or NaN in the weights.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no file '{path}'.")
    if path.stat().st_size == 0:
        raise CheckpointError(f"'{path.name}' is empty (0 bytes). Copy or download it again.")
    tensors, about = _safetensors(path) if path.suffix == ".safetensors" else (_pickle(path), {})
    if not tensors:
        raise CheckpointError(f"'{path.name}' holds no tensors. Expected the state dict of a network.")
    weights = _unprefixed(tensors) if stripped else tensors
    check_finite(weights, path.name)
    return Weights(weights, about)


def check_finite(tensors: Mapping[str, Tensor], name: str) -> None:
    """Raise CheckpointError at the first tensor with NaN or infinity."""
    for key, tensor in tensors.items():
        if tensor.layout != torch.strided:
            raise CheckpointError(f"'{name}' holds a sparse tensor, '{key}'. Save it with `.to_dense()`.")
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise CheckpointError(
                f"'{name}' holds NaN or infinite weights, first in '{key}': its training diverged. Use an earlier one."
            )


def _safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(
            f"'{path.name}' is cut off, or not a safetensors file ({error}). Copy or download it again."
        ) from None


def _pickle(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's advice about pickle protocols helps nobody here
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(_why_not(path.name, error)) from None
    tensors = _nested(content, depth=4)
    if not tensors:
        raise CheckpointError(
            f"'{path.name}' holds {_kind(content)}, no state dict. Save `model.state_dict()` of a PyTorch model."
        )
    return tensors


def _why_not(name: str, error: Exception) -> str:
    """PyTorch raises anything from KeyError to RuntimeError over a broken file; only the text tells what is wrong."""
    said = str(error)
    if "TorchScript" in said:
        return f"'{name}' is a TorchScript program. Save `model.state_dict()` of the PyTorch model instead."
    if isinstance(error, pickle.UnpicklingError):
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
