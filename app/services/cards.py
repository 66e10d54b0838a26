"""Cards of checkpoints: each is read once, and again only when its file is another one."""

from pathlib import Path
from typing import NamedTuple

from app.services.memory import Memory
from oodcore.checkpoint import Card, read_card
from oodcore.checkpoint.layout import CARD

__all__ = ["Stamp", "card", "stamp"]


class Stamp(NamedTuple):
    """Stands for the content of a checkpoint: its card has the hash of every other file, and is replaced whole."""

    size: int
    written: int
    place: int


def stamp(folder: Path) -> Stamp:
    """Of a checkpoint as it is now.

    Raises:
        OSError: it has no card.
    """
    about = (folder / CARD).stat()
    return Stamp(about.st_size, about.st_mtime_ns, about.st_ino)


def card(folder: Path) -> Card:
    """What a checkpoint says of itself.

    Raises:
        CheckpointError: its card cannot be read.
        OSError: it has none.
    """
    return _CARDS.find((folder, stamp(folder)), lambda: read_card(folder))


_CARDS: Memory[tuple[Path, Stamp], Card] = Memory(512)
