"""Which image sets of this machine a network can be fitted on, and which outliers belong beside them."""

from collections.abc import Sequence
from pathlib import Path

from oodcore.data import Entry, entries
from oodcore.models.class_lists import known_lists
from oodcore.models.network import class_names

__all__ = ["fitting_sets", "outliers_beside"]

TITLES = {"shapes": "Drawn shapes", "cifar100": "CIFAR-100", "cifar10": "CIFAR-10"}
"""Beginning of a set's name → its list of classes."""


def fitting_sets(classes: Sequence[str], root: Path | None = None, *, absent: bool = False) -> list[Entry]:
    """In-distribution sets that are at hand and have these classes; drawn ones first.

    Args:
        classes: Of the network.
        root: Folder of the image sets; see `oodcore.data.roots`.
        absent: Whether sets that are not at hand are named, too.

    A network whose classes have no names of their own takes any set of as many. Sets whose classes nobody knows before
    they are read are offered by their number.
    """
    found = [
        entry
        for entry in entries()
        if entry.role == "id"
        and entry.classes == len(classes)
        and _same(entry, classes)
        and (absent or entry.present(root))
    ]
    return sorted(found, key=lambda entry: bool(entry.needs))


def outliers_beside(inside: Entry, root: Path | None = None, most: int = 4) -> list[Entry]:
    """Test outliers at hand, of the same coding and as drawn or as photographed, near ones first."""
    found = [
        entry
        for entry in entries()
        if entry.role in ("near", "far")
        and entry.coding == inside.coding
        and bool(entry.needs) == bool(inside.needs)
        and entry.present(root)
    ]
    return sorted(found, key=lambda entry: entry.role != "near")[:most]


def _same(entry: Entry, classes: Sequence[str]) -> bool:
    title = next((title for start, title in TITLES.items() if entry.name.startswith(start)), None)
    known = known_lists(len(classes)).get(title or "")
    return known is None or tuple(classes) in (known, class_names(len(classes)))
