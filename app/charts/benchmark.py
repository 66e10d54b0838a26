"""One cell of the benchmark: densities, ROC, precision and recall, and the same network on every set."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float64

from app.charts.style import styled, wash
from app.theme import Palette
from oodcore.metrics.curves import Densities, Line
from oodcore.metrics.levels import Positive

__all__ = ["Dot", "by_set", "density", "precision_recall", "roc"]

HEIGHT = 300
SIDES = {"ood": ("ID flagged, %", "OOD caught, %"), "id": ("OOD passed, %", "ID kept, %")}


class Dot(NamedTuple):
    """One test set.

    Args:
        test: Its name.
        value: Mean over seeds, in per cent.
        spread: Standard deviation over seeds, or None.
        seeds: Every seed, in per cent.
        start: The network that it is compared with, in per cent, or None.
    """

    test: str
    value: float
    spread: float | None
    seeds: tuple[float, ...]
    start: float | None


def density(found: Densities, scorer: str, colours: Palette) -> go.Figure:
    """Both histograms as outlines: ID solid, OOD dashed."""
    middle = (found.edges[1:] + found.edges[:-1]) / 2
    figure = go.Figure()
    sides = (("ID", found.id, colours.id, "solid", 0.16), ("OOD", found.ood, colours.ood, "dash", 0.10))
    for name, heights, colour, dash, share in sides:
        line = {"color": colour, "width": 2, "dash": dash, "shape": "hvh"}
        fill = wash(colour, share)
        hover = f"{name}: score %{{x:.3g}}, density %{{y:.3g}}<extra></extra>"
        figure.add_scatter(
            x=middle, y=heights, name=name, line=line, fill="tozeroy", fillcolor=fill, hovertemplate=hover
        )
    _look(figure, colours, legend=True)
    figure.update_xaxes(title=f"{scorer} score, higher = more OOD")
    return figure.update_yaxes(title="density", rangemode="tozero", showticklabels=False)


def roc(line: Line, fpr: float, recall: float, positive: Positive, colours: Palette) -> go.Figure:
    """The curve, the line of guessing, and the point that FPR is read at."""
    across, up = SIDES[positive]
    figure = _curve(100 * line.x, 100 * line.y, colours)
    figure.add_scatter(x=[0, 100], y=[0, 100], mode="lines", hoverinfo="skip", line=_guess(colours))
    figure.add_scatter(
        x=[100 * fpr],
        y=[100 * recall],
        mode="markers+text",
        marker={"size": 11, "symbol": "diamond", "color": colours.text, "line": {"width": 2, "color": colours.page}},
        text=[f"FPR{100 * recall:g} {100 * fpr:.1f}"],
        textposition="bottom right" if fpr < 0.6 else "bottom left",
        hovertemplate=f"{across[:-3]} %{{x:.1f}} % when {up[:-3]} %{{y:g}} %<extra></extra>",
        cliponaxis=False,
    )
    return _square(figure, across, up, colours)


def precision_recall(line: Line, share: float, positive: Positive, colours: Palette) -> go.Figure:
    """The curve, and what guessing gives: the share of the found class."""
    figure = _curve(100 * line.x, 100 * line.y, colours)
    figure.add_scatter(x=[0, 100], y=[100 * share] * 2, mode="lines", hoverinfo="skip", line=_guess(colours))
    what = positive.upper()
    return _square(figure, SIDES[positive][1], f"of those declared {what}, {what} in %", colours)


def by_set(dots: Sequence[Dot], label: str, start: str | None, chosen: str, colours: Palette) -> go.Figure:
    """Every test set a line, first on top: the mean over seeds with its spread, each seed, and where it started."""
    figure = go.Figure()
    names = [dot.test for dot in dots]
    if start is not None:
        _start(figure, dots, start, colours)
    strokes = [(dot.test, seed) for dot in dots if len(dot.seeds) > 1 for seed in dot.seeds]
    figure.add_scatter(
        x=[seed for _, seed in strokes],
        y=[test for test, _ in strokes],
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 11, "color": colours.mute, "line": {"width": 1.5}},
        hovertemplate="%{y}: one seed %{x:.2f} %<extra></extra>",
    )
    figure.add_scatter(
        x=[dot.value for dot in dots],
        y=names,
        error_x={"array": [dot.spread or 0 for dot in dots], "color": colours.text, "thickness": 2, "width": 0},
        mode="markers+text",
        text=[f"{dot.value:.1f}" for dot in dots],
        textposition="top center",
        marker={
            "size": [14 if dot.test == chosen else 10 for dot in dots],
            "color": colours.text,
            "symbol": "circle",
        },
        hovertemplate="%{y}: %{x:.2f} %<extra></extra>",
        cliponaxis=False,
    )
    styled(figure, colours, height=86 + 40 * len(dots))
    low, high = _span(dots)
    figure.update_xaxes(title=label, range=[low, high], gridcolor=colours.line, zeroline=False)
    figure.update_yaxes(autorange="reversed", gridcolor=colours.line, griddash="dot", ticksuffix="  ")
    return figure.update_layout(margin={"l": 4, "r": 16, "t": 20, "b": 48})


def _start(figure: go.Figure, dots: Sequence[Dot], start: str, colours: Palette) -> None:
    """Hollow diamonds, joined to the mean by a thin line: the way that it went."""
    known = [dot for dot in dots if dot.start is not None]
    figure.add_scatter(
        x=[end for dot in known for end in (dot.start, dot.value, None)],  # None lifts the pen
        y=[end for dot in known for end in (dot.test, dot.test, None)],
        mode="lines",
        line={"color": colours.line, "width": 3},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=[dot.start for dot in known],
        y=[dot.test for dot in known],
        mode="markers",
        marker={"symbol": "diamond-open", "size": 9, "color": colours.mute, "line": {"width": 2}},
        hovertemplate=f"%{{y}}: {start} %{{x:.2f}} %<extra></extra>",
    )


def _span(dots: Sequence[Dot]) -> tuple[float, float]:
    numbers = [number for dot in dots for number in (dot.value, dot.start, *dot.seeds) if number is not None]
    room = max(0.06 * (max(numbers) - min(numbers)), 1.0)
    return max(min(numbers) - room, 0), min(max(numbers) + room, 100.5)


def _curve(x: Float64[np.ndarray, " points"], y: Float64[np.ndarray, " points"], colours: Palette) -> go.Figure:
    line = {"color": colours.text, "width": 2.5}
    return go.Figure(go.Scatter(x=x, y=y, mode="lines", line=line, hovertemplate="%{x:.1f} → %{y:.1f}<extra></extra>"))


def _square(figure: go.Figure, across: str, up: str, colours: Palette) -> go.Figure:
    _look(figure, colours, legend=False)
    for update, title in ((figure.update_xaxes, across), (figure.update_yaxes, up)):
        update(title=title, range=[0, 101], tickvals=[0, 25, 50, 75, 100])
    return figure


def _look(figure: go.Figure, colours: Palette, *, legend: bool) -> None:
    styled(figure, colours, HEIGHT)
    figure.update_layout(
        margin={"l": 52, "r": 10, "t": 12, "b": 46},
        showlegend=legend,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    figure.update_xaxes(gridcolor=colours.line, zeroline=False)
    figure.update_yaxes(gridcolor=colours.line, zeroline=False)


def _guess(colours: Palette) -> dict[str, Any]:
    return {"color": colours.mute, "width": 1.5, "dash": "dot"}
