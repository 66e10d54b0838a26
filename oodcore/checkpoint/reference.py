"""A few outputs of known sets beside the weights: what the app draws and compares with, without any data on disk."""

from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from oodcore.checkpoint.layout import REFERENCE
from oodcore.checkpoint.places import file_of
from oodcore.errors import CheckpointError
from oodcore.functional import free_energy
from oodcore.records import Bank, Evidence, Head, Outputs
from oodcore.tensor_file import write_tensors

__all__ = ["ROWS", "kept_rows", "load_energies", "load_prior", "load_reference", "save_reference"]

ROWS = 1000
HALF_MAX = 6e4  # float16 overflows at 65,504


def save_reference(
    folder: Path | str, sets: Mapping[str, Evidence], *, prior: Int64[Tensor, " k"] | None = None
) -> Path:
    """Write `reference.safetensors`: at most 1,000 rows per set, and the energy of every row.

    Features, embeddings and norms are kept in half precision (float32 where that overflows), logits in float32.

    Args:
        folder: Of the checkpoint; call `seal` afterwards if it has a card already.
        sets: Set name → its outputs.
        prior: How many auxiliary outliers the network sent to each class.

    Raises:
        CheckpointError: no sets, or a name with a slash.
        OSError: it cannot be written.
    """
    if not sets:
        raise CheckpointError("A reference needs at least one set.")
    if wrong := [name for name in sets if "/" in name]:
        raise CheckpointError(f"Names of reference sets must not hold a slash: {wrong}.")
    first = next(iter(sets.values()))
    tensors = {"head.weight": first.head.weight, "head.bias": first.head.bias}
    if first.centers is not None:
        tensors["centers"] = first.centers
    if prior is not None:
        tensors["prior"] = prior
    for name, evidence in sets.items():
        tensors |= {f"{name}/{key}": tensor for key, tensor in _kept(evidence).items()}
    path = Path(folder) / REFERENCE
    write_tensors(path, tensors)
    return path


def load_reference(source: Path | str) -> dict[str, Bank]:
    """Set name → its kept rows, in float32; empty where the checkpoint has no reference.

    Args:
        source: A checkpoint folder, or the name of a shipped one.

    Raises:
        CheckpointError: the file is damaged.
    """
    tensors = _read(source)
    if not tensors:
        return {}
    try:
        head = Head(tensors["head.weight"], tensors["head.bias"])
        return {name: _bank(name, tensors, head) for name in _names(tensors)}
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"The reference of '{source}' is incomplete ({error}). Get the checkpoint again."
        ) from None


def load_energies(source: Path | str) -> dict[str, Float32[Tensor, " n"]]:
    """Set name → free energy (T = 1) of every row, not only of the kept ones; LOW is in-distribution."""
    tensors = _read(source)
    return {name: tensors[f"{name}/energy"] for name in _names(tensors)}


def load_prior(source: Path | str) -> Int64[Tensor, " k"] | None:
    """Auxiliary outliers per predicted class, where they were counted."""
    return _read(source).get("prior")


def kept_rows(n: int) -> Int64[Tensor, " rows"]:
    """Which of `n` rows are kept: a fixed random choice, in their order."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))[:ROWS].sort().values


def _kept(evidence: Evidence) -> dict[str, Tensor]:
    chosen = kept_rows(len(evidence))
    parts: list[Bank] = []
    energies: list[Tensor] = []
    start = 0
    for chunk in evidence.chunks():
        inside = chosen[(chosen >= start) & (chosen < start + len(chunk))] - start
        parts.append(chunk.take(inside.to(chunk.labels.device)))
        energies.append(free_energy(chunk.outputs.logits.float()))
        start += len(chunk)
    outputs = Outputs.join([part.outputs for part in parts])
    kept = {name: _half(field) for name, field in outputs._asdict().items() if field is not None}
    kept["logits"] = outputs.logits.float()
    return kept | {"labels": torch.cat([part.labels for part in parts]), "energy": torch.cat(energies)}


def _bank(name: str, tensors: Mapping[str, Tensor], head: Head) -> Bank:
    fields = {field: tensors.get(f"{name}/{field}") for field in Outputs._fields}
    whole = {field: tensor.float() for field, tensor in fields.items() if tensor is not None}
    return Bank(Outputs(**whole), tensors[f"{name}/labels"], head, tensors.get("centers"))


def _half(tensor: Tensor) -> Tensor:
    return tensor.half() if not tensor.numel() or float(tensor.abs().max()) < HALF_MAX else tensor.float()


def _names(tensors: Mapping[str, Tensor]) -> list[str]:
    return [key.removesuffix("/energy") for key in tensors if key.endswith("/energy")]


def _read(source: Path | str) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = file_of(source, REFERENCE)
    if path is None:
        return {}
    try:
        return load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"'{path}' is damaged ({error}). Get the checkpoint again.") from None
