"""Which checkpoints can be compared, what they are called beside each other, and which ones a page opens with."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from app.services.cards import card
from oodcore import checkpoint
from oodcore.checkpoint import Card
from oodcore.checkpoint.layout import PANEL
from oodcore.errors import CheckpointError

__all__ = ["MOST", "card_of", "comparable", "usual"]

MOST = 4
"""Checkpoints that a page shows at once."""

LOSSES = {
    "cross_entropy": "baseline",
    "energy": "energy",
    "balanced_energy": "balanced",
    "outlier_exposure": "outlier exposure",
    "semantic_energy": "semantic",
}
OPENING = ("energy", "balanced")  # fine-tunings that stand beside their baseline at first


def card_of(folder: Path) -> Card | None:
    """What a checkpoint says of itself, or None where it cannot be read."""
    try:
        return card(folder)
    except (OSError, CheckpointError):
        return None


def comparable(folders: Mapping[str, Path], main: str) -> dict[str, str]:
    """Name → short name of the checkpoints that decide about the same classes; `main` itself comes first.

    Shipped ones of its family are called by what they were trained with, others by their own name.
    """
    cards = {name: found for name, folder in folders.items() if (found := card_of(folder)) is not None}
    if main not in cards:
        return {main: main}
    alike = [name for name in cards if cards[name].classes == cards[main].classes and _decides(folders[name])]
    names = [main, *(name for name in alike if name != main)]
    own = cards[main].parent or main
    kin = {name for name in names if (cards[name].parent or name) == own}
    wanted = {name: _short(name, folders[name], cards[name]) if name in kin else name for name in names}
    often = Counter(wanted.values())
    return {name: short if often[short] == 1 else name for name, short in wanted.items()}


def usual(folders: Mapping[str, Path], main: str) -> list[str]:
    """What stands beside a checkpoint at first: its fine-tunings, or else what it was made of."""
    choice = comparable(folders, main)
    parents = {name: found.parent for name in choice if (found := card_of(folders[name])) is not None}
    made = [name for name, short in choice.items() if parents.get(name) == main and short in OPENING]
    source = parents.get(main)
    return sorted(made, key=lambda name: OPENING.index(choice[name])) or [name for name in choice if name == source]


def _decides(folder: Path) -> bool:
    return (folder / PANEL).is_file()


def _short(name: str, folder: Path, about: Card) -> str:
    loss = about.recipe.get("loss")
    trained = loss.get("name") if isinstance(loss, Mapping) else None
    return LOSSES.get(str(trained), name) if checkpoint.is_shipped(folder) else name
