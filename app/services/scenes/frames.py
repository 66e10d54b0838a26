"""What a stage shows for every position of its dials, as tables: computed by the library, looked up in the browser."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from itertools import product
from typing import Any, Literal, TypeAlias

import numpy as np
from torch import Tensor

from oodcore.errors import DataError
from oodcore.registry import did_you_mean

__all__ = [
    "PICTURE",
    "Bars",
    "Card",
    "Curve",
    "Dial",
    "Fact",
    "Histogram",
    "Kind",
    "Lines",
    "Mark",
    "Place",
    "Points",
    "Scene",
    "Set",
    "Show",
    "Table",
    "View",
    "heights",
    "over",
]

PICTURE = "picture"  # the name under which the strip of pictures turns tables, as a dial does
BARS = 40

Kind: TypeAlias = Literal["id", "ood", "aux", "plain"]
"""Which colour and stroke: in-distribution, out-of-distribution, outliers of the training, or neither."""

Place: TypeAlias = Mapping[str, int]
"""Name of a dial, or `PICTURE`, → position."""


@dataclass(frozen=True, slots=True)
class Dial:
    """One thing that is turned.

    Args:
        name: In lessons and in the link.
        label: Above it.
        values: One per position: numbers, or names.
        words: The same as it is shown.
        start: The position that it opens with.
    """

    name: str
    label: str
    values: tuple[float | str, ...]
    words: tuple[str, ...]
    start: int = 0

    def find(self, wanted: float | str) -> int:
        """Position of a value; of the nearest, for a number within the range.

        Raises:
            DataError: no such value.
        """
        numbers = [value for value in self.values if isinstance(value, int | float)]
        try:
            number = float(wanted)
        except ValueError:
            number = float("nan")
        if len(numbers) == len(self.values) and min(numbers) <= number <= max(numbers):
            return min(range(len(numbers)), key=lambda index: abs(numbers[index] - number))
        if wanted in self.values:
            return self.values.index(wanted)
        if numbers:
            raise DataError(f"'{self.name}' goes from {min(numbers):g} to {max(numbers):g}; got {wanted!r}.")
        raise DataError(did_you_mean(f"value of '{self.name}'", str(wanted), [str(value) for value in self.values]))


@dataclass(frozen=True, slots=True)
class Table:
    """Something for every position of some dials.

    Args:
        over: Names of the dials, or `PICTURE`.
        values: The first axes are those of `over`, in order; further ones belong to what is shown.
    """

    over: tuple[str, ...]
    values: np.ndarray

    def fix(self, place: Place) -> "Table":
        """The part where some dials stand still."""
        index = tuple(place[name] if name in place else slice(None) for name in self.over)
        part = self.values[index]
        return Table(tuple(name for name in self.over if name not in place), np.asarray(part, dtype=self.values.dtype))

    def at(self, place: Place) -> Any:
        """What holds where all of its dials stand."""
        return self.fix(place).values[()]

    def written(self) -> dict[str, Any]:
        """For the browser: rows in the order of positions, the last dial turning fastest."""
        sizes = self.values.shape[: len(self.over)]
        rows = self.values.reshape(int(np.prod(sizes, dtype=np.int64)), *self.values.shape[len(self.over) :])
        return {"over": list(self.over), "sizes": list(sizes), "rows": _short(rows).tolist()}


@dataclass(frozen=True, slots=True)
class Set:
    """One histogram: heights relative to its own tallest bar, 0 to 100."""

    name: str
    kind: Kind
    heights: Table


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across a histogram; what lies on the shaded side of it is flagged, or pulled."""

    name: str
    at: Table
    shade: Literal["left", "right", ""] = ""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Scores of several sets over common edges.

    Args:
        title: Above it.
        axis: Below it, with the direction.
        ends: Lowest and highest edge.
        sets: What is drawn, back to front.
        marks: Lines across.
        picture: The example picture's score, or None.
    """

    title: str
    axis: str
    ends: Table
    sets: Sequence[Set]
    marks: Sequence[Mark] = ()
    picture: Table | None = None
    kind: Literal["histogram"] = "histogram"


@dataclass(frozen=True, slots=True)
class Bars:
    """One bar per class, family or block.

    Args:
        title: Above it.
        labels: Of the bars.
        low: Least value that fits.
        high: Largest value that fits.
        unit: How values are written.
        values: The bars.
        name: What they are, for the legend; empty without one.
        colour: Of the bars.
        behind: Outlined bars to compare with, and what they are.
        behind_name: See `behind`.
        chosen: Which bar is emphasised.
    """

    title: str
    labels: Sequence[str]
    low: float
    high: float
    unit: Literal["percent", "number"]
    values: Table
    name: str = ""
    colour: Kind = "id"
    behind: Table | None = None
    behind_name: str = ""
    chosen: Table | None = None
    kind: Literal["bars"] = "bars"


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a `Lines` view; y over the common x."""

    name: str
    kind: Kind
    y: Table
    strong: bool = True


@dataclass(frozen=True, slots=True)
class Lines:
    """Curves over a common axis.

    Args:
        title: Above it.
        axis: Below it.
        x: Positions along the axis, 0 to 1.
        ticks: Words on the axis, with their positions 0 to 1.
        low: Least y.
        high: Largest y.
        curves: What is drawn.
        cursor: Where the dial stands along the axis, 0 to 1; None without one.
        spot: x and y of one emphasised point; None without one.
    """

    title: str
    axis: str
    x: Sequence[float]
    ticks: Sequence[tuple[float, str]]
    low: float
    high: float
    curves: Sequence[Curve]
    cursor: Table | None = None
    spot: Table | None = None
    kind: Literal["lines"] = "lines"


@dataclass(frozen=True, slots=True)
class Points:
    """A map of two numbers per picture; each set is a list of (x, y).

    Args:
        title: Above it.
        across: Words of the horizontal axis.
        up: Words of the vertical axis.
        ends: Lowest x, highest x, lowest y, highest y.
        sets: Name, kind and points.
        picture: The example picture's point.
    """

    title: str
    across: str
    up: str
    ends: tuple[float, float, float, float]
    sets: Sequence[tuple[str, Kind, list[list[float]]]]
    picture: Table
    kind: Literal["points"] = "points"


View: TypeAlias = Histogram | Bars | Lines | Points


@dataclass(frozen=True, slots=True)
class Fact:
    """A number beside the drawings, which tasks may ask for.

    Args:
        label: What it is, with its convention.
        table: Its values.
        unit: How it is written; "decision" is 0 for kept and 1 for flagged.
        better: Which direction is better.
    """

    label: str
    table: Table
    unit: Literal["percent", "number", "decision"] = "percent"
    better: Literal["up", "down", ""] = ""


@dataclass(frozen=True, slots=True)
class Card:
    """An example picture; `source` is a data URI."""

    id: str
    name: str
    group: str
    kind: Kind
    source: str


@dataclass(frozen=True, slots=True)
class Show:
    """Which parts of a scene one step puts on the stage, by their names in it."""

    dials: Sequence[str] = ()
    views: Sequence[str] = ()
    facts: Sequence[str] = ()
    numbers: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a lesson can show.

    Args:
        dials: What can be turned.
        views: Drawings.
        facts: Numbers.
        numbers: Lines of formulas with the example picture's numbers; `^{…}` and `_{…}` are raised and lowered.
        pictures: Example pictures.
    """

    dials: Mapping[str, Dial]
    views: Mapping[str, View]
    facts: Mapping[str, Fact]
    numbers: Mapping[str, Table]
    pictures: Sequence[Card]

    def place(self, wanted: Mapping[str, float | str]) -> dict[str, int]:
        """A position for every dial and the picture: the wanted one, or where it opens.

        Args:
            wanted: Dial → value, and `PICTURE` → its name or id.

        Raises:
            DataError: no such dial, value or picture.
        """
        place = {name: dial.start for name, dial in self.dials.items()} | {PICTURE: 0}
        for name, value in wanted.items():
            if name == PICTURE:
                place[name] = self.picture(str(value))
            elif name in self.dials:
                place[name] = self.dials[name].find(value)
            else:
                raise DataError(did_you_mean("dial", name, [*self.dials, PICTURE]))
        return place

    def picture(self, wanted: str) -> int:
        """Position of a picture by name or id.

        Raises:
            DataError: no such picture.
        """
        for index, card in enumerate(self.pictures):
            if wanted in (card.id, card.name):
                return index
        raise DataError(did_you_mean("picture", wanted, [card.name for card in self.pictures]))

    def turned(self, show: Show) -> list[str]:
        """What a visitor can move on this stage: its dials, and the picture where something depends on it."""
        parts = [*(self.views[name] for name in show.views), *(self.facts[name] for name in show.facts)]
        tables = [*_tables(parts), *(self.numbers[name] for name in show.numbers)]
        return [*show.dials, *([PICTURE] if any(PICTURE in table.over for table in tables) else [])]

    def stage(self, show: Show, place: Place) -> dict[str, Any]:
        """The tables of one step for the browser; dials that are not on the stage stand still."""
        turned = self.turned(show)
        still = {name: index for name, index in place.items() if name not in turned}
        return {
            "dials": [_written(self.dials[name], still) | {"start": place[name]} for name in show.dials],
            "pictures": [_written(card, still) for card in self.pictures] if PICTURE in turned else [],
            "picture": place[PICTURE],
            "views": [_written(self.views[name], still) for name in show.views],
            "facts": [_written(self.facts[name], still) for name in show.facts],
            "numbers": [_written(self.numbers[name], still) for name in show.numbers],
        }

    def drawn(self, show: Show, place: Place) -> dict[str, dict[str, list[object]]]:
        """What the drawings of one step show where everything stands at `place`: title → columns."""
        return {self.views[name].title: _columns(_rows(self.views[name], place)) for name in show.views}

    def value(self, fact: str, place: Place) -> float:
        """A fact where everything stands at `place`."""
        return float(self.facts[fact].table.at(place))

    def places(self, turned: Sequence[str], place: Place) -> Iterator[dict[str, int]]:
        """Every position that can be reached by turning some dials."""
        sizes = [len(self.pictures) if name == PICTURE else len(self.dials[name].values) for name in turned]
        for positions in product(*map(range, sizes)):
            yield dict(place) | dict(zip(turned, positions, strict=True))


def _rows(view: View, place: Place) -> list[dict[str, object]]:
    """One for each bar or point of a drawing."""
    if isinstance(view, Histogram):
        return [row for one in view.sets for row in _bins(view, one, place)]
    if isinstance(view, Bars):
        behind = {} if view.behind is None else {view.behind_name: view.behind.at(place).tolist()}
        columns = {"name": list(view.labels), view.name or "value": view.values.at(place).tolist(), **behind}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if isinstance(view, Lines):
        pairs = ((curve.name, zip(view.x, curve.y.at(place).tolist(), strict=True)) for curve in view.curves)
        return [{"name": name, "x": x, "y": y} for name, points in pairs for x, y in points]
    return [{"name": name, "x": x, "y": y} for name, _, points in view.sets for x, y in points]


def _bins(view: Histogram, one: Set, place: Place) -> list[dict[str, object]]:
    found = one.heights.at(place).tolist()
    low, high = view.ends.at(place).tolist()
    edges = np.linspace(low, high, len(found) + 1).tolist()
    return [
        {"name": one.name, "from": left, "to": right, "height": height}
        for left, right, height in zip(edges[:-1], edges[1:], found, strict=True)
    ]


def _columns(rows: Sequence[Mapping[str, object]]) -> dict[str, list[object]]:
    return {title: [row[title] for row in rows] for title in rows[0]} if rows else {}


def over(*names: str, values: Any) -> Table:
    """A table of numbers or of text; the axes of `names` come first."""
    array = values.numpy() if isinstance(values, Tensor) else np.asarray(values)
    return Table(names, array.astype(object) if array.dtype.kind in "US" else array.astype(np.float64))


def heights(scores: Sequence[np.ndarray], room: float = 0.01, bars: int = BARS) -> tuple[list[float], list[list[int]]]:
    """Ends, and for each set how many fall in each bar, relative to its tallest, 0 to 100.

    Args:
        scores: One array per set.
        room: Share of each set that is drawn in the outermost bars, so that a few far scores do not squeeze the rest.
        bars: How many.
    """
    low = min(float(np.quantile(part, room)) for part in scores)
    high = max(float(np.quantile(part, 1 - room)) for part in scores)
    beyond = 0.04 * (high - low) or 0.5
    edges = np.linspace(low - beyond, high + beyond, bars + 1)
    counts = [np.histogram(part.clip(edges[0], edges[-1]), edges)[0] for part in scores]
    return [float(edges[0]), float(edges[-1])], [
        np.rint(100 * count / count.max()).astype(int).tolist() for count in counts
    ]


def _short(rows: np.ndarray) -> np.ndarray:
    """Four significant digits at least: what a drawing or a percentage needs."""
    return rows if rows.dtype == object else np.round(rows, 4)


def _written(part: Any, still: Place) -> Any:
    if isinstance(part, Table):
        return part.fix({name: index for name, index in still.items() if name in part.over}).written()
    if is_dataclass(part):
        return {field.name: _written(getattr(part, field.name), still) for field in fields(part)}
    if isinstance(part, list | tuple):
        return [_written(item, still) for item in part]
    return part


def _tables(part: Any) -> Iterator[Table]:
    if isinstance(part, Table):
        yield part
    elif is_dataclass(part):
        for field in fields(part):
            yield from _tables(getattr(part, field.name))
    elif isinstance(part, list | tuple):
        for item in part:
            yield from _tables(item)
