"""Checkpoint folders: how they are written."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Protocol, runtime_checkable

from oodcore.checkpoint.card import Card, read_card, write_text
from oodcore.checkpoint.layout import CARD, MODEL, PANEL
from oodcore.checkpoint.places import MANIFEST, is_shipped, listed, manifest
from oodcore.checkpoint.reference import save_reference
from oodcore.data.archives import file_digest
from oodcore.errors import CheckpointError
from oodcore.models import Network
from oodcore.models.weights_file import check_finite
from oodcore.tensor_file import write_tensors

__all__ = ["save", "seal", "swap", "write_manifest"]


@runtime_checkable
class Saves(Protocol):
    """A fitted panel, seen from here."""

    def save(self, path: Path, /) -> object: ...


def save(
    folder: Path | str,
    model: Network,
    card: Card,
    *,
    panel: Saves | None = None,
    reference: Mapping[str, Any] | None = None,
    prior: Any = None,
) -> Path:
    """Write a checkpoint under a temporary name, then rename it; an earlier one of this name is replaced as a whole.

    Args:
        folder: Where it will be; its parent is made.
        model: Any network of this package except a wrapped module of the user's own.
        card: As `Card.of(model, …)`; the hashes are filled in.
        panel: A fitted panel.
        reference: Set name → bank, for `save_reference`.
        prior: Outliers per class, kept with the reference.

    Raises:
        CheckpointError: NaN in the weights, or an architecture that could not be built again.
        OSError: it cannot be written: a full disk, missing rights. An earlier one stands.
    """
    if model.architecture.startswith("module:"):
        raise CheckpointError(
            f"A wrapped {model.architecture.removeprefix('module:')} cannot be saved: nothing could build it again. "
            "Networks of this package, torchvision and timm can."
        )
    tensors = model.state_dict()
    check_finite(tensors, str(folder))
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        part.chmod(0o755)  # mkdtemp's is for the owner alone
        header = {"architecture": model.architecture, "classes": json.dumps(model.classes)}
        write_tensors(part / MODEL, tensors, header)
        if panel is not None:
            panel.save(part / PANEL)
        if reference is not None:
            save_reference(part, reference, prior=prior)
        write_text(part / CARD, replace(card, sha256=_hashes(part)).to_json())
        swap(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _refresh_manifest(folder)
    return folder


def seal(folder: Path | str, **changes: Any) -> Card:
    """After a file of a checkpoint was written again: new hashes, and new fields, in the card and the manifest.

    Raises:
        CheckpointError: no card.
    """
    folder = Path(folder)
    card = replace(read_card(folder), sha256=_hashes(folder), **changes)
    write_text(folder / CARD, card.to_json())
    _refresh_manifest(folder)
    return card


def write_manifest(root: Path | str, *names: str) -> Path:
    """`MANIFEST.json`: the sha256 of every file of the checkpoints that are shipped.

    Args:
        root: The folder of the checkpoints.
        names: Which ones to list, besides those that are listed already and still there.
    """
    root = Path(root)
    entries = {
        f"{name}/{file.name}": file_digest(file)
        for name in sorted({*listed(root), *names})
        if (root / name / CARD).is_file()
        for file in _files(root / name)
    }
    write_text(root / MANIFEST, entries)
    return root / MANIFEST


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: file_digest(path) for path in _files(folder) if path.name != CARD}


def _refresh_manifest(folder: Path) -> None:
    """Of a shipped checkpoint only its own entries; a person's own checkpoint beside them is no part of it."""
    if not is_shipped(folder):
        return
    root, name = folder.resolve().parent, folder.resolve().name
    others = {entry: hash_ for entry, hash_ in manifest(root).items() if entry.partition("/")[0] != name}
    own = {f"{name}/{file.name}": file_digest(file) for file in _files(folder)}
    write_text(root / MANIFEST, dict(sorted({**others, **own}.items())))


def swap(new: Path, folder: Path) -> None:
    """Renaming cannot replace a folder that holds files, so the old one steps aside first."""
    if not folder.exists():
        new.rename(folder)
        return
    old = Path(mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    folder.rename(old / folder.name)
    new.rename(folder)
    shutil.rmtree(old)
