"""Checkpoints as the Checkpoints page lists them: cards, sizes, whose they are, and what a visitor brings."""

import hashlib
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import streamlit as st

from app.services.memory import Memory
from app.services.resources import Exhibit, Waiting, turn
from oodcore import checkpoint
from oodcore.checkpoint import Card, read_card
from oodcore.checkpoint.compare import Summary, summary
from oodcore.checkpoint.layout import CARD, PANEL, REFERENCE
from oodcore.checkpoint.own import UPLOAD_BYTES, examine, is_own, within_roots
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
    """The network in a visitor's file, recognised and tried; the same bytes are looked at once.

    Raises:
        CheckpointError: see `oodcore.checkpoint.own.examine`.
    """
    key = (brought.key, brought.name, classes, prepared)
    if (found := _LOOKED.get(key)) is not None:
        return found
    source = brought.content if isinstance(brought.content, Path) else Upload(brought.name, brought.content)
    with turn(waiting):
        return _LOOKED.find(key, lambda: examine(source, classes=classes, preprocessing=prepared))


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


_CARDS: Memory[str, Card] = Memory(256)
_LOOKED: Memory[tuple[str, str, tuple[str, ...] | None, Preprocessing | None], Network] = Memory(4)


def one(name: str, folder: Path) -> Listed:
    """A single one.

    Raises:
        CheckpointError: its card cannot be read.
    """
    try:
        text = (folder / CARD).read_bytes()
        size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    except OSError:
        raise CheckpointError(f"The checkpoint '{name}' is no longer there.") from None
    card = _CARDS.find(hashlib.sha256(text).hexdigest(), lambda: read_card(folder))
    there = {file: (folder / file).is_file() for file in (PANEL, REFERENCE)}
    return Listed(name, folder, card, _whose(folder, card), size, there[PANEL], there[REFERENCE])


def _whose(folder: Path, card: Card) -> Whose:
    if checkpoint.is_shipped(folder):
        return "shipped"
    if card.recipe:
        return "trained here"
    return "brought" if is_own(folder) else "own"
