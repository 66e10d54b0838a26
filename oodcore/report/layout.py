"""Rows and means → one section per pair of sets → terminal tables or Markdown.

A section has one ID set, one OOD set and so one OOD share, which AUPR depends on; within it each convention has
columns of its own.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from rich.console import Group
from rich.table import Table
from rich.text import Text

from oodcore.checks import Finding
from oodcore.metrics import Interval
from oodcore.report import columns
from oodcore.report.mean import Mean
from oodcore.report.row import Convention, Row

__all__ = ["Line", "markdown", "note", "of_mean", "of_row", "rich_tables"]


class Line(NamedTuple):
    """One line of a table, as text."""

    section: str
    names: tuple[str, str]  # checkpoint, scorer
    metrics: tuple[str, ...]
    convention: Convention
    cells: Mapping[str, str]  # column key to per cent
    notes: str  # finding codes


NAMES = ("Checkpoint", "Scorer")
NOTES = "Notes"


def of_row(row: Row, /) -> Line:
    """Values with their intervals."""
    section = f"{row.id_set} ({row.n_id:,}) against {row.ood_set} ({row.n_ood:,}): {row.ood_share:.1%} OOD"
    cells = {
        columns.key(name, row.convention): _cell(value, row.intervals.get(name)) for name, value in row.values.items()
    }
    codes = " ".join(sorted({finding.code for finding in row.findings}))
    return Line(section, (row.checkpoint, row.scorer), tuple(row.values), row.convention, cells, codes)


def of_mean(mean: Mean, /) -> Line:
    """Values alone. Means over different sets stand in different sections."""
    low, high = (f"{share:.1%}" for share in mean.shares)
    share = low if low == high else f"{low} to {high}"
    section = f"{mean.id_set}, {mean.label} ({', '.join(row.ood_set for row in mean.rows)}): {share} OOD"
    cells = {columns.key(name, mean.convention): _cell(value, None) for name, value in mean.values.items()}
    return Line(section, (mean.checkpoint, mean.scorer), tuple(mean.values), mean.convention, cells, "")


def rich_tables(lines: list[Line], metrics: Iterable[str] | None) -> Group:
    """Numbers to the right, the meaning of every column below the last table."""
    wanted = None if metrics is None else set(metrics)
    parts: list[Table | Text] = []
    for title, section in _sections(lines).items():
        table = Table(title=Text(title), title_justify="left")
        chosen = _columns(section, wanted)
        for heading in (*NAMES, *_headings(chosen), NOTES):
            table.add_column(Text(heading), justify="left" if heading in (*NAMES, NOTES) else "right")
        for line in section:
            table.add_row(*(Text(cell) for cell in _texts(line, chosen)))
        parts.append(table)
    return Group(*parts, Text("\n".join(_columns(lines, wanted).values())))


def markdown(lines: list[Line], metrics: Iterable[str] | None, notes: list[str]) -> str:
    """Tables, then what their columns mean, then what the checks found."""
    wanted = None if metrics is None else set(metrics)
    blocks = [f"### {title}\n\n{_markdown_table(section, wanted)}" for title, section in _sections(lines).items()]
    blocks += ["\n".join(f"- {item}" for item in items) for items in (_columns(lines, wanted).values(), notes)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def note(finding: Finding, places: list[str], /, most: int = 3) -> str:
    """A finding and where it was made."""
    more = f" and {len(places) - most} more" if len(places) > most else ""
    return f"{finding} [{', '.join(places[:most])}{more}]"


def _sections(lines: list[Line]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.section, []).append(line)
    return found


def _columns(lines: list[Line], wanted: set[str] | None) -> dict[str, str]:
    """Key to meaning, in order of first appearance."""
    return {
        columns.key(name, line.convention): columns.meaning(name, line.convention)
        for line in lines
        for name in line.metrics
        if wanted is None or name in wanted
    }


def _headings(chosen: Mapping[str, str]) -> list[str]:
    return [f"{meaning.partition(':')[0]}, %" for meaning in chosen.values()]


def _texts(line: Line, chosen: Mapping[str, str]) -> list[str]:
    return [*line.names, *(line.cells.get(key, "") for key in chosen), line.notes]


def _cell(value: float, interval: Interval | None) -> str:
    if interval is None:
        return f"{100 * value:.2f}"
    return f"{100 * value:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def _markdown_table(lines: list[Line], wanted: set[str] | None) -> str:
    chosen = _columns(lines, wanted)
    head = [*NAMES, *_headings(chosen), NOTES]
    rules = ["---"] * len(NAMES) + ["--:"] * len(chosen) + ["---"]
    return "\n".join(_bar(cells) for cells in (head, rules, *(_texts(line, chosen) for line in lines)))


def _bar(cells: Iterable[str]) -> str:
    safe = (cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(safe)} |"
