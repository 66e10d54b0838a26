"""A board as a table: two of network, scorer and test set span it, the third is fixed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import NamedTuple

from oodcore.errors import DataError
from oodcore.report.board import OWN, Axis, Board, Difference, Value, difference, falls

__all__ = ["AXES", "Best", "Matrix", "Place", "best", "lead", "matrix", "titled"]

AXES: tuple[Axis, ...] = ("network", "scorer", "test")


class Place(NamedTuple):
    """Where a value belongs."""

    network: str
    scorer: str
    test: str


@dataclass(frozen=True)
class Matrix:
    """Rows and columns in the order in which they are shown.

    Args:
        board: Where the values are from.
        metric: Its name in `Result.values`.
        down: What the rows are.
        across: What the columns are.
        fixed: Key of the third.
        rows: Keys that have a value.
        columns: Keys that have a value.
        values: By row and column, where there is one.
        minus: Network that the differences are taken to, if any.
    """

    board: Board
    metric: str
    down: Axis
    across: Axis
    fixed: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: Mapping[tuple[str, str], Value]
    minus: str | None = None

    def place(self, row: str, column: str) -> Place:
        """Network, scorer and test set of a cell."""
        return Place(**{self.down: row, self.across: column, self.third: self.fixed})

    @property
    def third(self) -> Axis:
        """What is neither down nor across."""
        return next(axis for axis in AXES if axis not in (self.down, self.across))

    def change(self, row: str, column: str) -> Difference | None:
        """To the network that it is compared with; None for that one itself, and where it has no such value."""
        if self.minus is None or (row, column) not in self.values:
            return None
        return self.board.against(self.metric, *self.place(row, column), other=self.minus)

    def comparable(self, row: str, column: str) -> list[tuple[str, str]]:
        """Cells on the same test images: a row where test sets are the rows, else a column."""
        if self.down == "test":
            return [(row, each) for each in self.columns if (row, each) in self.values]
        return [(each, column) for each in self.rows if (each, column) in self.values]

    @cached_property
    def best(self) -> frozenset[tuple[str, str]]:
        """Of each set of comparable cells the best, all that share it; none where there is nothing to compare."""
        found: set[tuple[str, str]] = set()
        for cell in self.values:
            cells = self.comparable(*cell)
            if len(cells) > 1 and self.values[cell].mean == self._first(cells):
                found.add(cell)
        return frozenset(found)

    @cached_property
    def level(self) -> frozenset[tuple[str, str]]:
        """Cells that the seeds' spread does not tell from the best."""
        found: set[tuple[str, str]] = set()
        for cell in self.values.keys() - self.best:
            first = next((each for each in self.comparable(*cell) if each in self.best), None)
            if first is not None and difference(self.values[first], self.values[cell]).clear is False:
                found.add(cell)
        return frozenset(found)

    @cached_property
    def span(self) -> tuple[float, float]:
        """Worst and best value of the shading; the worst tenth of many cells share its end, so that it tells the rest.

        A difference is shaded around 0: the span is (-most, most).
        """
        if self.minus is not None:
            changes = [abs(change.mean) for cell in self.values if (change := self.change(*cell)) is not None]
            most = max(changes, default=0.0)
            return -most, most
        values = sorted((value.mean for value in self.values.values()), reverse=falls(self.metric))
        return (values[len(values) // 10 if len(values) > 20 else 0], values[-1]) if values else (0.0, 1.0)

    @property
    def clipped(self) -> bool:
        """Whether some values lie beyond the worst end of the shading."""
        sign = 1 if falls(self.metric) else -1
        return self.minus is None and any(sign * (value.mean - self.span[0]) > 0 for value in self.values.values())

    def ranked(self, cells: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Some cells, best first."""
        return sorted(cells, key=lambda cell: self.values[cell].mean, reverse=not falls(self.metric))

    def shade(self, row: str, column: str) -> float:
        """How good, from 0 to 1; of a difference from -1 (worse) to 1 (better), 0 where the spread explains it."""
        worst, good = self.span
        if self.minus is not None:
            change = self.change(row, column)
            sign = -1.0 if falls(self.metric) else 1.0
            return 0.0 if change is None or change.clear is False or good == 0 else sign * change.mean / good
        if worst == good:
            return 1.0
        return min(max((self.values[row, column].mean - worst) / (good - worst), 0.0), 1.0)

    def _first(self, cells: list[tuple[str, str]]) -> float:
        values = [self.values[cell].mean for cell in cells]
        return min(values) if falls(self.metric) else max(values)


def matrix(board: Board, metric: str, down: Axis, across: Axis, fixed: str, minus: str | None = None) -> Matrix:
    """Test sets with their means last; scorers best first; networks as on the board.

    Args:
        board: What is shown.
        metric: A name in `board.metrics`.
        down: What the rows are.
        across: What the columns are.
        fixed: A network, a scorer (or `OWN`), a test set (or a key of `board.means`).
        minus: Network that the differences are taken to.

    Raises:
        DataError: rows and columns are the same.
    """
    if down == across:
        raise DataError(f"Rows and columns cannot both be the {down}. Choose another one for one of them.")
    keys = {"network": board.networks, "scorer": board.scorers, "test": [*board.tests, *board.means]}
    whole = Matrix(board, metric, down, across, fixed, (), (), {}, minus)
    values = {
        (row, column): value
        for row in keys[down]
        for column in keys[across]
        if (value := board.value(metric, *whole.place(row, column))) is not None
    }
    rows = [row for row in keys[down] if any((row, column) in values for column in keys[across])]
    columns = [column for column in keys[across] if any((row, column) in values for row in rows)]
    lines = {row: [value.mean for (each, _), value in values.items() if each == row] for row in rows}
    stacks = {column: [value.mean for (_, each), value in values.items() if each == column] for column in columns}
    rows = _best_first(lines, metric) if down == "scorer" else rows
    columns = _best_first(stacks, metric) if across == "scorer" else columns
    return Matrix(board, metric, down, across, fixed, tuple(rows), tuple(columns), values, minus)


def _best_first(lines: Mapping[str, list[float]], metric: str) -> list[str]:
    return sorted(lines, key=lambda key: fmean(lines[key]), reverse=not falls(metric))


class Best(NamedTuple):
    """A place and its value."""

    place: Place
    value: Value


def best(board: Board, metric: str, test: str, scorer: str | None = None) -> list[Best]:
    """Each network with the scorer that suits it best on these test images, best network first.

    Args:
        board: What is searched.
        metric: What counts.
        test: A test set, or a key of `board.means`.
        scorer: Only this one, or `OWN`; None tries all.
    """
    found: list[Best] = []
    sign = -1 if falls(metric) else 1
    for network in board.networks:
        names = board.scorers if scorer is None else [scorer]
        places = [Place(network, name, test) for name in names]
        values = [Best(place, value) for place in places if (value := board.value(metric, *place)) is not None]
        if values:
            found.append(max(values, key=lambda each: sign * each.value.mean))
    return sorted(found, key=lambda each: -sign * each.value.mean)


def lead(first: Best, second: Best, board: Board) -> Difference:
    """By how much the first is ahead; above 0 in either direction of the metric.

    Only the baseline's own single seed adds no spread.
    """
    gap = difference(first.value, second.value, fixed=second.place.network == board.baseline)
    return Difference(abs(gap.mean), gap.spread)


def titled(board: Board, axis: Axis, key: str) -> str:
    """A key in words."""
    if axis == "scorer" and key == OWN:
        return "each network's own score"
    if axis == "test" and key in board.means:
        group = key.partition(":")[2]
        return f"mean of {len(board.means[key])} {group or 'sets'}".strip()
    return key
