"""Checkpoints as the Checkpoints page lists them: cards, sizes, whose they are, and what a visitor brings."""

import hashlib
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import streamlit as st

from app.services.cards import card
from app.services.memory import Memory, Turns
from app.services.resources import Exhibit, Waiting, turn
from oodcore import checkpoint
from oodcore.checkpoint import Card
from oodcore.checkpoint.compare import Summary, summary
from oodcore.checkpoint.layout import PANEL, REFERENCE
from oodcore.checkpoint.loading import described
from oodcore.checkpoint.own import FILE_BYTES, UPLOAD_BYTES, is_own, recognised, try_out, weights_size, within_roots
from oodcore.checkpoint.places import size_of
from oodcore.data.transforms import Preprocessing
from oodcore.errors import CheckpointError
from oodcore.evaluate.blocks import norms_of
from oodcore.models import Network
from oodcore.models.blocks import block_shapes
from oodcore.models.weights_file import Upload

__all__ = [
    "MEGABYTES",
    "BlockRow",
    "Brought",
    "Family",
    "Listed",
    "block_rows",
    "families",
    "from_path",
    "from_upload",
    "listed",
    "looked_at",
    "one",
]

MEGABYTES = UPLOAD_BYTES // 2**20
Whose = Literal["shipped", "trained here", "brought", "own"]


@dataclass(frozen=True)
class Listed:
    """One checkpoint of this server.

    Args:
        name: As every page names it.
        folder: Where it lies.
        card: What it says of itself.
        whose: Shipped; trained by a run here; weights that a visitor brought; or the server's owner's.
        size: Bytes.
        fitted: Whether it can decide.
        reference: Whether it brings outputs of reference sets.
    """

    name: str
    folder: Path
    card: Card
    whose: Whose
    size: int
    fitted: bool
    reference: bool

    @property
    def summary(self) -> Summary:
        """Accuracy, and mean AUROC of the energy."""
        return summary(self.card)

    @property
    def loss(self) -> str:
        """What it was trained with, as the recipe says; "" where nobody knows."""
        loss = self.card.recipe.get("loss")
        return str(loss.get("name", "")) if isinstance(loss, dict) else ""


@dataclass(frozen=True)
class Family:
    """Checkpoints that belong together.

    Args:
        base: What the others were made from, first of them; None where each stands alone.
        members: At least one.
    """

    base: Listed | None
    members: Sequence[Listed]


class Brought(NamedTuple):
    """What a visitor brings, before anything is saved."""

    name: str
    content: bytes | Path
    key: str
    """Stands for the content."""


class BlockRow(NamedTuple):
    """A block: its name, what it hands on, and the quartiles of the reference's norms where there are any."""

    name: str
    shape: str
    quartiles: tuple[float, float, float] | None


def listed(folders: dict[str, Path]) -> tuple[list[Listed], list[str]]:
    """All of them in order, and a sentence for each whose card cannot be read."""
    found, sentences = [], []
    for name, folder in folders.items():
        try:
            found.append(one(name, folder))
        except CheckpointError as problem:
            sentences.append(str(problem))
    return found, sentences


def families(found: Sequence[Listed]) -> list[Family]:
    """Each baseline with all that was made from it, in the order of the list; then those that stand alone."""
    by_name = {one.name: one for one in found}
    members: dict[str, list[Listed]] = {}
    for each in found:
        members.setdefault(_root(each, by_name), []).append(each)
    grown = [
        Family(by_name[name], sorted(all_, key=lambda one: one.name != name))
        for name, all_ in members.items()
        if len(all_) > 1 or by_name[name].whose == "shipped"
    ]
    alone = [all_[0] for name, all_ in members.items() if not (len(all_) > 1 or by_name[name].whose == "shipped")]
    return [*grown, *([Family(None, alone)] if alone else [])]


def _root(one: Listed, by_name: Mapping[str, Listed]) -> str:
    """The name of its first ancestor that is here."""
    seen: set[str] = set()
    while (parent := one.card.parent) in by_name and one.name not in seen:
        seen.add(one.name)
        one = by_name[str(parent)]
    return one.name


def from_upload(name: str, content: bytes, file_id: str, hashes: MutableMapping[str, str]) -> Brought:
    """A file in memory; `hashes` is the session's memory of file id → sha256, so that it is hashed once."""
    if file_id not in hashes:
        hashes[file_id] = hashlib.sha256(content).hexdigest()
    return Brought(name, content, hashes[file_id])


def from_path(text: str) -> Brought:
    """A file of this machine; its place and time stand for its content, for it may have a gigabyte.

    Raises:
        CheckpointError: see `within_roots`.
    """
    path = within_roots(text)
    about = path.stat()
    return Brought(path.name, path, f"{path} {about.st_size} {about.st_mtime_ns}")


def looked_at(
    brought: Brought, waiting: Waiting, classes: tuple[str, ...] | None = None, prepared: Preprocessing | None = None
) -> Network:
    """The network in a visitor's file, recognised and tried; the same bytes are read once, and one file at a time.

    Raises:
        CheckpointError: see `oodcore.checkpoint.own.recognised` and `try_out`; or another number of classes.
    """
    key = brought.key, brought.name
    found = _LOOKED.get(key)
    if found is None:
        source = brought.content if isinstance(brought.content, Path) else Upload(brought.name, brought.content)
        with turn(waiting, _READERS):
            found = _LOOKED.find(key, lambda: recognised(source))
    model = described(found, classes, prepared)
    if _TRIED.get(tried := (*key, classes, prepared)) is None:
        with turn(waiting):
            try_out(model)
        _TRIED.put(tried, True)
    return model


@st.cache_resource(max_entries=64, show_spinner=False)
def block_rows(_shown: Exhibit, weights: str) -> list[BlockRow]:
    """Blocks from first to last; `weights` stands for the exhibit in the key."""
    shapes = block_shapes(_shown.model)
    bank = _shown.reference.get(_shown.known or "")
    quartiles: list[tuple[float, float, float] | None] = [None] * len(shapes)
    if bank is not None and bank.outputs.norms is not None:
        levels = norms_of(bank.outputs).quantile(norms_of(bank.outputs).new_tensor([0.25, 0.5, 0.75]), dim=0)
        quartiles = [(float(low), float(middle), float(high)) for low, middle, high in levels.T]
    return [
        BlockRow(name, " × ".join(map(str, shapes[name])), levels)
        for name, levels in zip(_shown.model.block_names, quartiles, strict=True)
    ]


_LOOKED: Memory[tuple[str, str], Network] = Memory(FILE_BYTES, weights_size)
_TRIED: Memory[tuple[str, str, tuple[str, ...] | None, Preprocessing | None], bool] = Memory(256)
_READERS = Turns()


def one(name: str, folder: Path) -> Listed:
    """A single one.

    Raises:
        CheckpointError: its card cannot be read.
    """
    try:
        about, size = card(folder), size_of(folder)
    except OSError:
        raise CheckpointError(f"The checkpoint '{name}' is no longer there.") from None
    there = {file: (folder / file).is_file() for file in (PANEL, REFERENCE)}
    return Listed(name, folder, about, _whose(folder, about), size, there[PANEL], there[REFERENCE])


def _whose(folder: Path, about: Card) -> Whose:
    if checkpoint.is_shipped(folder):
        return "shipped"
    if about.recipe:
        return "trained here"
    return "brought" if is_own(folder) else "own"
