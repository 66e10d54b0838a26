"""Curves of runs that may still go on: panels redrawn in place, read off with the pointer or with arrow keys."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from app.components.made import made

__all__ = ["Line", "Panel", "curves"]


Look = Literal["id", "ood", "aux", "text", "run0", "run1", "run2", "run3"]


@dataclass(frozen=True, slots=True)
class Line:
    """One curve.

    Args:
        name: In the legend.
        look: Colour and dashes: known images, outliers, a third thing, a neutral one, or a run of several.
        steps: Where it was read, rising.
        values: What was read.
    """

    name: str
    look: Look
    steps: Sequence[int]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves with one axis.

    Args:
        title: Above.
        note: What it means, in a few words.
        lines: At least one.
        percent: Whether values are shares, drawn from 0 to 1.
        empty: Said while there is nothing to draw.
    """

    title: str
    note: str
    lines: Sequence[Line] = field(default_factory=tuple)
    percent: bool = False
    empty: str = "Nothing yet."


def curves(panels: Sequence[Panel], *, steps: int, label: str, key: str) -> None:
    """Draw them.

    Args:
        panels: In order.
        steps: Right end of the axis; 0 where nobody knows.
        label: What they show, for who cannot see them.
        key: Streamlit key; the same one is redrawn in place.
    """
    data = {"panels": [asdict(panel) for panel in panels], "steps": steps, "label": label}
    made("curves")(data=data, key=key)
