"""Cards side by side: what was set differently, and which numbers came out differently."""

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any, NamedTuple

from oodcore.checkpoint.card import Card

__all__ = ["Figure", "Pair", "Summary", "changes", "differences", "figures", "pairs", "settings", "summary"]

BETTER_HIGH = {"accuracy": True, "ece": False, "auroc": True, "fpr95_ood_positive": False, "fpr95_id_positive": False}


class Figure(NamedTuple):
    """One measured number of a card."""

    name: str
    value: float
    on: str
    against: str
    interval: tuple[float, float] | None


class Pair(NamedTuple):
    """The same number of two cards."""

    name: str
    on: str
    against: str
    left: float
    right: float

    @property
    def change(self) -> float:
        """Right minus left."""
        return self.right - self.left

    @property
    def better(self) -> str:
        """Which side, as "left" or "right"; "" where they are equal or nobody can say."""
        if self.change == 0 or self.name not in BETTER_HIGH:
            return ""
        return "right" if (self.change > 0) == BETTER_HIGH[self.name] else "left"


class Summary(NamedTuple):
    """A card in two numbers; None where it was never measured."""

    accuracy: float | None
    auroc: float | None
    sets: int
    """How many OOD sets the mean AUROC is over; each counts once."""


def settings(card: Card) -> dict[str, Any]:
    """Everything that was chosen, by its place: `"train.lr"`, `"preprocessing.coding"`."""
    about = {
        "architecture": card.architecture,
        "options": card.options,
        "classes": ", ".join(card.classes),
        "preprocessing": card.preprocessing.to_json(),
        "parent": card.parent,
        "seed": card.seed,
        "data": {name: digest[:12] for name, digest in card.data.items()},
        **{key: value for key, value in card.recipe.items() if key not in ("title", "notes", "outlier_prior")},
    }
    return dict(_flat("", about))


def differences(left: Card, right: Card) -> dict[str, tuple[Any, Any]]:
    """Settings that are not the same; None where a card does not have one."""
    one, other = settings(left), settings(right)
    return {name: (one.get(name), other.get(name)) for name in {**one, **other} if one.get(name) != other.get(name)}


def figures(card: Card, scorer: str) -> list[Figure]:
    """What was measured of the network itself, and of one scorer, in the card's order."""
    return [
        Figure(
            str(entry["name"]),
            float(entry["value"]),
            str(entry.get("id_set", entry.get("set", ""))),
            str(entry.get("ood_set", "")),
            _interval(entry.get("interval")),
        )
        for entry in card.metrics
        if entry.get("scorer", scorer) == scorer and isinstance(entry.get("value"), int | float) and "name" in entry
    ]


def pairs(left: Card, right: Card, scorer: str) -> list[Pair]:
    """Numbers that both cards have of the same sets."""
    others = {(one.name, one.on, one.against): one.value for one in figures(right, scorer)}
    return [
        Pair(*key, one.value, others[key])
        for one in figures(left, scorer)
        if (key := (one.name, one.on, one.against)) in others
    ]


def summary(card: Card, scorer: str = "energy") -> Summary:
    """Accuracy, and AUROC as an unweighted mean over OOD sets."""
    found = figures(card, scorer)
    areas = [one.value for one in found if one.name == "auroc"]
    return Summary(
        next((one.value for one in found if one.name == "accuracy"), None), fmean(areas) if areas else None, len(areas)
    )


def changes(base: Card, card: Card, scorer: str = "energy") -> tuple[float | None, float | None]:
    """Accuracy and mean AUROC, minus those of another card; None where the two were not measured on the same sets."""
    one, other = summary(base, scorer), summary(card, scorer)
    same = pairs(base, card, scorer)
    areas = [pair.change for pair in same if pair.name == "auroc"]
    accuracy = next((pair.change for pair in same if pair.name == "accuracy"), None)
    return accuracy, fmean(areas) if areas and len(areas) == one.sets == other.sets else None


def _interval(found: Any) -> tuple[float, float] | None:
    return (float(found["low"]), float(found["high"])) if isinstance(found, Mapping) and "low" in found else None


def _flat(place: str, values: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        name = f"{place}.{key}" if place else str(key)
        if isinstance(value, Mapping):
            yield from _flat(name, value)
        else:
            yield name, list(value) if isinstance(value, tuple) else value
