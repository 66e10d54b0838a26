"""Rows in order, and the forms that they are read in."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Group

from oodcore.checks import Finding, aupr_share
from oodcore.report import files, layout
from oodcore.report.mean import Mean, means
from oodcore.report.row import Row

__all__ = ["Report"]


@dataclass(frozen=True, slots=True)
class Report:
    """Results in the order in which they were taken; `Report(rows) + Report(more)` joins two.

    Args:
        rows: One per checkpoint, ID set, OOD set and scorer.
    """

    rows: tuple[Row, ...] = field(default=())

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        object.__setattr__(self, "rows", tuple(rows))

    def __add__(self, other: "Report") -> "Report":
        return Report((*self.rows, *other.rows))

    def __len__(self) -> int:
        return len(self.rows)

    def means(self) -> list[Mean]:
        """Over OOD sets, where there are at least two."""
        return means(self.rows)

    def findings(self) -> dict[Finding, list[str]]:
        """What the checks said, and of which results; AUPRs under different OOD shares included."""
        found: dict[Finding, list[str]] = {}
        for row in self.rows:
            for finding in row.findings:
                found.setdefault(finding, []).append(f"{row.scorer} on {row.ood_set}")
        mixed = aupr_share([row.ood_share for row in self.rows])
        return {**found, **({mixed: ["AUPR between the tables"]} if mixed else {})}

    def table(self, metrics: Iterable[str] | None = None, *, only_means: bool = False) -> Group:
        """For the terminal: a table per pair of sets, in per cent with intervals.

        Args:
            metrics: Names as in `Row.values`; all by default.
            only_means: Leave the single OOD sets out.
        """
        return layout.rich_tables(self._lines(only_means=only_means), metrics)

    def markdown(self, metrics: Iterable[str] | None = None, *, only_means: bool = False) -> str:
        """The same tables, what their columns mean, and what the checks found."""
        return layout.markdown(self._lines(only_means=only_means), metrics, self.notes())

    def notes(self) -> list[str]:
        """One sentence per finding, with the results that it concerns."""
        return [layout.note(finding, places) for finding, places in self.findings().items()]

    def csv(self) -> str:
        """One line per row, values as shares from 0 to 1, convention and interval ends in columns of their own."""
        return files.to_csv(self.rows)

    def json(self) -> str:
        """Everything, for `load`."""
        return files.to_json(self.rows)

    def write(self, path: Path | str, /) -> None:
        """`.json`, `.csv` or `.md`, complete or not at all.

        Raises:
            DataError: another ending, or the file cannot be written.
        """
        kinds = {".json": self.json, ".csv": self.csv, ".md": self.markdown}
        files.write(Path(path), kinds)

    @classmethod
    def load(cls, path: Path | str, /) -> "Report":
        """Read what `write` wrote as JSON.

        Raises:
            DataError: no such file, or not a report.
        """
        return cls(files.read(Path(path)))

    def _lines(self, *, only_means: bool) -> list[layout.Line]:
        rows = () if only_means else (layout.of_row(row) for row in self.rows)
        return [*rows, *(layout.of_mean(mean) for mean in self.means())]
