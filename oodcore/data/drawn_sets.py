"""The sets that code draws: always there, nothing on disk."""

from functools import partial
from pathlib import Path
from typing import Final, Literal, cast

from oodcore.data.entry import Entry
from oodcore.data.images import ArraySet, Role
from oodcore.data.roots import Progress

__all__ = ["ENTRIES", "imbalanced"]

_AUX: Final = "shapes-aux"


def _draw(folder: Path, split: str, progress: Progress | None, *, name: str, imbalance: float = 1.0) -> ArraySet:
    from oodcore.data.drawn_once import drawn_once

    return drawn_once(name, cast("Literal['train', 'calibration', 'test']", split), imbalance)


def _entry(name: str, title: str, role: Role, imbalance: float = 1.0) -> Entry:
    load = partial(_draw, name=_AUX if imbalance != 1 else name, imbalance=imbalance)
    splits = ("train", "calibration", "test")
    return Entry(name, title, role, 10, "lossless", splits, "Drawn by this project.", "It is drawn by code.", load=load)


ENTRIES: Final[tuple[Entry, ...]] = (
    _entry("shapes", "Ten drawn figures", "id"),
    _entry(
        _AUX, f"Drawn look-alikes, balanced; {_AUX}-50 has fifty of the first kind for one of the last", "auxiliary"
    ),
    _entry("shapes-near", "Other drawn figures", "near"),
    _entry("shapes-far", "Drawn textures", "far"),
)


def imbalanced(name: str) -> Entry | None:
    """The entry of `shapes-aux-50` and the like: the first family is that many times as frequent as the last."""
    number = name.removeprefix(f"{_AUX}-")
    if number == name or not number.replace(".", "", 1).isdigit() or float(number) <= 1:
        return None
    return _entry(name, f"Drawn look-alikes, imbalance {number}", "auxiliary", float(number))
