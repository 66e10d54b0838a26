"""A fitted panel as one safetensors file: statistics as tensors, everything else as JSON in its header.

Nothing in the file is executed, and no name in it is imported: statistics become a class only if a registered scorer's
own module holds it. A checksum tells damage; equal tensors are stored once.
"""

import hashlib
import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from oodcore.errors import CheckpointError, OODError
from oodcore.panel.contents import Contents
from oodcore.records import Head
from oodcore.scorers import Fitted, scorers
from oodcore.tensor_file import write_tensors
from oodcore.thresholds import Calibration

FORMAT = 1
"""Raised when an older reader would misread the file."""
KIND = "oodcore panel"
PLAIN = (bool, int, float, str, type(None))


class Tensors:
    """Tensors by key, equal ones under one key."""

    def __init__(self) -> None:
        self.by_key: dict[str, Tensor] = {}
        self._keys: dict[str, str] = {}

    def add(self, key: str, tensor: Tensor) -> str:
        """The key under which it is stored."""
        stored = tensor.detach().cpu().contiguous()
        found = self._keys.setdefault(digest([stored]), key)
        self.by_key.setdefault(found, stored)
        return found


def save(panel: Contents, path: Path, /) -> Path:
    """Write under a temporary name, then rename.

    Raises:
        CheckpointError: it cannot be written there, or holds statistics that cannot be saved.
    """
    tensors = Tensors()
    text = json.dumps(_content(panel, tensors))
    checksum = digest([tensors.by_key[key] for key in sorted(tensors.by_key)], text)
    header = {"kind": KIND, "format": str(FORMAT), "panel": text, "sha256": checksum}
    try:
        write_tensors(path, tensors.by_key, header)
    except OSError as error:
        raise CheckpointError(f"The panel cannot be saved as '{path}': {error}.") from None
    return path


def load(path: Path, /) -> Contents:
    """Read, check, rebuild.

    Raises:
        CheckpointError: no such file, damaged, not a panel, or of a newer version.
    """
    header, tensors = _read(path)
    if header.get("kind") != KIND:
        raise CheckpointError(f"'{path}' is not a fitted panel. `ood fit` makes one.")
    if header.get("format") != str(FORMAT):
        raise CheckpointError(f"'{path}' was written by a newer version of this program. Update it, or fit again.")
    if header.get("sha256") != digest([tensors[key] for key in sorted(tensors)], header.get("panel", "")):
        raise CheckpointError(f"'{path}' is damaged: its checksum does not match. Copy it again, or fit again.")
    try:
        return _rebuilt(json.loads(header["panel"]), tensors)
    except OODError as error:
        raise CheckpointError(f"'{path}' cannot be used here. {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"'{path}' does not fit this version of the scorers. Fit it again.") from error


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            # Cloned: products may round differently where memory is not aligned as a fit's own is.
            return file.metadata() or {}, {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"There is no file '{path}'.") from None
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"'{path}' is damaged or not a safetensors file: {error}.") from None


def digest(tensors: list[Tensor], text: str = "") -> str:
    """sha256 over a text and the type, shape and bytes of tensors in order."""
    content = hashlib.sha256(text.encode())
    for tensor in tensors:
        content.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        content.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return content.hexdigest()


def _content(panel: Contents, tensors: Tensors) -> dict[str, Any]:
    calibrations = {
        name: tensors.add(f"{name}.calibration", calibration.scores) for name, calibration in panel.calibrations.items()
    }
    return {
        "members": [[name, _encoded(member, name, tensors)] for name, member in panel.members.items()],
        "settings": panel.settings,
        "about": panel.about,
        "classes": panel.classes,
        "width": panel.width,
        "calibrations": calibrations,
    }


def _rebuilt(content: dict[str, Any], tensors: dict[str, Tensor]) -> Contents:
    members = {name: _decoded(node, tensors) for name, node in content["members"]}
    if not all(isinstance(member, Fitted) for member in members.values()) or members.keys() != {*content["settings"]}:
        raise CheckpointError("Its scorers and their settings do not belong together.")
    return Contents(
        members,
        content["settings"],
        content["about"],
        content["classes"],
        content["width"],
        {name: Calibration(tensors[key]) for name, key in content["calibrations"].items()},
    )


def _encoded(value: Any, key: str, tensors: Tensors) -> Any:
    """A statistic as JSON, its tensors put aside."""
    if isinstance(value, Tensor):
        # eigh gives column-major matrices, and products round by layout.
        turned = value.ndim == 2 and not value.is_contiguous() and value.mT.is_contiguous()
        return {"tensor": tensors.add(key, value.mT if turned else value), "turned": turned}
    if isinstance(value, Fitted):
        kind = type(value)
        parts = {
            field.name: _encoded(getattr(value, field.name), f"{key}.{field.name}", tensors) for field in fields(kind)
        }
        return {"scorer": _home(kind), "class": kind.__name__, "fields": parts}
    if isinstance(value, Head):
        return {"head": [_encoded(part, f"{key}.{name}", tensors) for name, part in value._asdict().items()]}
    if type(value) is tuple:
        return {"tuple": [_encoded(part, f"{key}.{index}", tensors) for index, part in enumerate(value)]}
    if isinstance(value, PLAIN):
        return {"value": value}
    raise CheckpointError(f"A statistic of type {type(value).__name__} cannot be saved ({key}).")


def _decoded(node: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
    match node:
        case {"tensor": key, "turned": turned}:
            return tensors[key].mT if turned else tensors[key]
        case {"scorer": scorer, "class": kind, "fields": parts}:
            return _class(scorer, kind)(**{name: _decoded(part, tensors) for name, part in parts.items()})
        case {"head": parts}:
            return Head(*(_decoded(part, tensors) for part in parts))
        case {"tuple": parts}:
            return tuple(_decoded(part, tensors) for part in parts)
        case {"value": value}:
            return value
    raise CheckpointError(f"It holds an entry that is no statistic: {str(node)[:60]}.")


def _home(kind: type[Fitted]) -> str:
    """The scorer whose module holds a class of statistics."""
    for name in (kind.__module__.rpartition(".")[2], *scorers.names()):
        if name in scorers and getattr(sys.modules[scorers[name].__module__], kind.__name__, None) is kind:
            return name
    raise CheckpointError(f"{kind.__name__} lies in no registered scorer's module, so it could not be loaded again.")


def _class(scorer: str, name: str) -> type[Fitted]:
    kind = getattr(sys.modules[scorers[scorer].__module__], name, None)
    if isinstance(kind, type) and issubclass(kind, Fitted):
        return kind
    raise CheckpointError(f"The scorer '{scorer}' has no statistics called '{name}'.")
