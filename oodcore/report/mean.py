"""Unweighted means over OOD sets."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from oodcore.report.row import Convention, Row

__all__ = ["Mean", "means"]


@dataclass(frozen=True, slots=True)
class Mean:
    """Each OOD set counts once, however many images it has: the field's average over a benchmark."""

    checkpoint: str
    id_set: str
    scorer: str
    rows: tuple[Row, ...]

    @property
    def label(self) -> str:
        """Stands where a row names its OOD set."""
        return f"mean of {len(self.rows)} sets, unweighted"

    @property
    def convention(self) -> Convention:
        """The same in all rows."""
        return self.rows[0].convention

    @property
    def values(self) -> dict[str, float]:
        """Of the metrics that every row has."""
        names = [name for name in self.rows[0].values if all(name in row.values for row in self.rows)]
        return {name: fmean(row.values[name] for row in self.rows) for name in names}

    @property
    def shares(self) -> tuple[float, float]:
        """Smallest and largest OOD share behind the mean."""
        shares = [row.ood_share for row in self.rows]
        return min(shares), max(shares)


def means(rows: Iterable[Row], /) -> list[Mean]:
    """One per checkpoint, ID set, scorer and convention with at least two OOD sets.

    A set that was measured twice counts once, by its later row.
    """
    groups: dict[tuple[str, str, str, Convention], dict[str, Row]] = {}
    for row in rows:
        group = groups.setdefault((row.checkpoint, row.id_set, row.scorer, row.convention), {})
        group[row.ood_set] = row
    return [
        Mean(checkpoint, id_set, scorer, tuple(sets.values()))
        for (checkpoint, id_set, scorer, _), sets in groups.items()
        if len(sets) > 1
    ]
