"""Two checkpoints against the same outliers."""

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from app.charts.style import styled
from app.theme import Palette

__all__ = ["Versus", "areas"]


class Versus(NamedTuple):
    """One OOD set: AUROC with its interval, or None, of the left and the right checkpoint."""

    title: str
    left: float
    right: float
    spread: tuple[tuple[float, float] | None, tuple[float, float] | None]


def areas(rows: Sequence[Versus], names: tuple[str, str], colours: Palette) -> go.Figure:
    """AUROC per set, one line each, with 95 % intervals; the right checkpoint is the filled one.

    Args:
        rows: First on top.
        names: Of the checkpoints.
        colours: See `Palette`.
    """
    titles = [row.title for row in rows[::-1]]
    figure = go.Figure()
    for row in rows:
        figure.add_trace(
            go.Scatter(
                x=[row.left, row.right], y=[row.title] * 2, mode="lines", showlegend=False, hoverinfo="skip",
                line={"color": colours.line, "width": 5},
            )
        )  # fmt: skip
    for side, symbol in enumerate(("circle-open", "circle")):
        values = [(row.left, row.right)[side] for row in rows[::-1]]
        spread = [row.spread[side] or (value, value) for row, value in zip(rows[::-1], values, strict=True)]
        figure.add_trace(
            go.Scatter(
                x=values,
                y=titles,
                mode="markers",
                name=names[side],
                marker={
                    "size": 12,
                    "symbol": symbol,
                    "color": colours.text,
                    "line": {"width": 2, "color": colours.text},
                },
                error_x={
                    "array": [high - value for (_, high), value in zip(spread, values, strict=True)],
                    "arrayminus": [value - low for (low, _), value in zip(spread, values, strict=True)],
                    "color": colours.mute,
                    "thickness": 1.2,
                    "width": 3,
                },
                hovertemplate="%{y}: %{x:.1%}<extra>" + names[side] + "</extra>",
                cliponaxis=False,
            )
        )
    styled(figure, colours, height=96 + 34 * len(rows))
    figure.update_layout(
        margin={"l": 4, "r": 16, "t": 36, "b": 30},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "xref": "container", "y": 1, "yanchor": "top", "yref": "container"},
    )
    figure.update_xaxes(tickformat=".0%", gridcolor=colours.line, zeroline=False)
    return figure.update_yaxes(ticksuffix="  ", showgrid=False)
