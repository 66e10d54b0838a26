"""A network before and after: energies of the same images, and what became of accuracy, AUROC and FPR95."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from oodcore.atomic import replacing
from oodcore.errors import DataError
from oodcore.report import Convention, columns

__all__ = ["Change", "Comparison", "Side"]

METRICS = {"auroc": True, "fpr95_ood_positive": False, "fpr95_id_positive": False}
"""Name → whether more is better."""

When = Literal["before", "after"]
Energies = Float64[np.ndarray, " n"]


@dataclass(frozen=True, slots=True)
class Change:
    """One number before and after.

    Args:
        name: As reports label it, with its convention.
        before: From 0 to 1.
        after: The same.
        rising: Whether more is better.
    """

    name: str
    before: float
    after: float
    rising: bool

    @property
    def delta(self) -> float:
        """After minus before."""
        return self.after - self.before

    @property
    def better(self) -> bool | None:
        """None where nothing has changed."""
        return None if self.delta == 0 else (self.delta > 0) == self.rising


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two networks.

    Args:
        accuracy: On the images of its classes; None where those are not the network's.
        energies: Set → free energy of each image, the in-distribution set first.
        values: OOD set → metric → value, of the energy score.
    """

    accuracy: float | None
    energies: Mapping[str, Sequence[float]]
    values: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both.

    Args:
        before: Where it began.
        after: What became of it.
        convention: How the values were taken.
    """

    before: Side
    after: Side
    convention: Convention

    @property
    def id_set(self) -> str:
        """Of the known images."""
        return next(iter(self.before.energies))

    @property
    def ood_sets(self) -> list[str]:
        """Of the outliers."""
        return list(self.before.energies)[1:]

    def energies(self, when: When, name: str) -> Energies:
        """Of one set."""
        return np.asarray(getattr(self, when).energies[name], dtype=np.float64)

    def changes(self, ood_set: str) -> list[Change]:
        """Rank metrics of the energy against one set, then the accuracy."""
        before, after = self.before.values[ood_set], self.after.values[ood_set]
        found = [
            Change(columns.label(name, self.convention), before[name], after[name], rising)
            for name, rising in METRICS.items()
        ]
        if self.before.accuracy is not None and self.after.accuracy is not None:
            found.append(Change("Accuracy", self.before.accuracy, self.after.accuracy, rising=True))
        return found

    def write(self, path: Path) -> None:
        """As JSON."""
        with replacing(path) as part:
            part.write_text(json.dumps(asdict(self), allow_nan=False), "utf-8")

    @classmethod
    def read(cls, path: Path) -> "Comparison":
        """The way back.

        Raises:
            DataError: not there, or damaged.
        """
        try:
            values: dict[str, Any] = json.loads(path.read_text("utf-8"))
            sides = {name: Side(**values[name]) for name in ("before", "after")}
            return cls(**sides, convention=Convention(**values["convention"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise DataError("How this run compares with its start cannot be read. Run it again.") from None
