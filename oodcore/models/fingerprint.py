"""What a pass depends on, as hashes of content: weights, structure, preprocessing, data and this package's own code.

Nothing here looks at an object's identity: a dropped model whose address is used again by another one is a different
model, and weights changed in place give a different hash.
"""

import hashlib
import json
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import CodeType
from typing import Any

import torch
from torch import Tensor, nn

from oodcore.data.transforms import Preprocessing

__all__ = ["cache_key", "code_version", "structure", "weights_hash"]

PACKAGE = Path(__file__).parents[1]
LIBRARIES = ("torch", "torchvision", "timm")
PLAIN = (bool, int, float, str, type(None))


def weights_hash(model: nn.Module, /) -> str:
    """sha256 over every parameter and buffer: name, type, shape and bytes."""
    content = hashlib.sha256()
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        content.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        content.update(_bytes(tensor))
    return content.hexdigest()


def structure(model: nn.Module, /) -> str:
    """sha256 over what the modules are apart from their weights: classes, their methods, and plain attributes."""
    kinds = {kind: _code(kind) for kind in {type(module) for module in model.modules()}}
    content = hashlib.sha256()
    for name, module in model.named_modules():
        content.update(f"{name} {kinds[type(module)]} {_settings(module)}\n".encode())
    return content.hexdigest()


@cache
def code_version() -> str:
    """sha256 over the source that turns pictures into outputs, and the versions of the libraries under it."""
    content = hashlib.sha256()
    files = [*sorted((PACKAGE / "models").glob("*.py")), PACKAGE / "data" / "transforms.py", PACKAGE / "functional.py"]
    for file in files:
        content.update(f"{file.name}\0".encode() + file.read_bytes())
    for library in LIBRARIES:
        content.update(f"{library} {_version(library)}\n".encode())
    return content.hexdigest()


def cache_key(model: nn.Module, transform: Preprocessing, digest: str, **settings: Any) -> str:
    """sha256 that changes with anything that the outputs depend on.

    Args:
        model: Weights and structure are hashed.
        transform: Preprocessing.
        digest: Of the data, as `ImageSet.digest`.
        settings: Whatever else matters, as `norms=True`; JSON values.
    """
    parts = {
        "code": code_version(),
        "data": digest,
        "settings": settings,
        "structure": structure(model),
        "transform": transform.to_json(),
        "weights": weights_hash(model),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()


def _settings(module: nn.Module) -> list[str]:
    """Plain attributes (strides, epsilons, a scale that a user set) in a fixed order; train or eval does not count."""
    return sorted(f"{key}={shown}" for key, value in vars(module).items() if (shown := _shown(key, value)) is not None)


def _shown(key: str, value: Any) -> str | None:
    if key.startswith("_") or key == "training":
        return None
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, tuple | list) and all(isinstance(part, PLAIN) for part in value):
        return repr(value)
    if callable(value) and hasattr(value, "__qualname__"):  # as `self.act = torch.relu`
        return f"{value.__qualname__} {_instructions(value)}"
    return None


def _code(kind: type) -> str:
    """A class by its name and the bytecode of its methods, so that two classes typed into a notebook differ."""
    content = hashlib.sha256(f"{kind.__module__}.{kind.__qualname__}".encode())
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] not in ("torch", "torchvision", "timm", "builtins"):
            for name, method in sorted(vars(base).items()):
                content.update(f"{name} {_instructions(method)}".encode())
    return content.hexdigest()


def _instructions(function: object) -> list[str]:
    """Bytecode, names and constants of a Python function and of those inside it; empty for anything else."""
    code = function if isinstance(function, CodeType) else getattr(function, "__code__", None)
    if code is None:
        return []
    inner = [part for constant in code.co_consts for part in _instructions(constant)]
    constants = [_constant(constant) for constant in code.co_consts if not isinstance(constant, CodeType)]
    return [code.co_code.hex(), *code.co_names, *constants, *inner]


def _constant(value: object) -> str:
    """As written; the members of a set in a fixed order, for theirs differs from process to process."""
    return repr(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"
