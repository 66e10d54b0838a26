"""Histograms of a score, and one photo closely: what it is taken for, how unusual it is, and why."""

from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float32, Float64

from app.charts.style import styled, wash
from app.theme import Palette, number

__all__ = ["Bins", "Curve", "Standing", "answers", "attribution", "bins", "class_shares", "curve", "ends", "standings"]

BARS = 56
ROW = 30  # pixels of a scorer, with one checkpoint
SLIM = 14  # of each checkpoint of a scorer, with several


class Bins(NamedTuple):
    """Two histograms over the same edges, each relative to its own tallest bar."""

    edges: Float64[np.ndarray, " bars+1"]
    id: Float64[np.ndarray, " bars"]
    ood: Float64[np.ndarray, " bars"] | None


class Curve(NamedTuple):
    """Both histograms as paths of an SVG of this size, the place of the threshold, and the scores at both ends."""

    width: float
    height: float
    id: str
    ood: str | None
    line: float
    ends: tuple[float, float]


class Standing(NamedTuple):
    """One score of a photo: the share of known images that score lower, 0..1, and the decision.

    Args:
        side: Short name of the checkpoint.
    """

    title: str
    rank: float
    flagged: bool
    side: str = ""


def bins(known: Float64[np.ndarray, " n"], outliers: Float64[np.ndarray, " m"] | None, bars: int = BARS) -> Bins:
    """How many of each set fall in each bar. The far ends (one percent each) are drawn in the outermost bars.

    Args:
        known: Scores of in-distribution images.
        outliers: Scores of outliers, or None where the checkpoint brings none.
        bars: How many.
    """
    sets = [known] if outliers is None else [known, outliers]
    low = min(float(np.quantile(scores, 0.01)) for scores in sets)
    high = max(float(np.quantile(scores, 0.99)) for scores in sets)
    room = 0.04 * (high - low) or 0.5
    edges = np.linspace(low - room, high + room, bars + 1)
    counts = [np.histogram(scores.clip(edges[0], edges[-1]), edges)[0] for scores in sets]
    heights = [count / count.max() for count in counts]
    return Bins(edges, heights[0], None if outliers is None else heights[1])


def curve(drawn: Bins, threshold: float, width: float = 1000, height: float = 110) -> Curve:
    """Histograms for a file that draws nothing itself."""
    low, high = float(drawn.edges[0]), float(drawn.edges[-1])
    return Curve(
        width,
        height,
        _outline(drawn.id, width, height),
        None if drawn.ood is None else _outline(drawn.ood, width, height),
        round(width * min(1, max(0, (threshold - low) / (high - low))), 1),
        (low, high),
    )


def class_shares(names: Sequence[str], shares: Sequence[float], colours: Palette, most: int = 6) -> go.Figure:
    """What the softmax believes: its largest shares, largest on top."""
    order = sorted(range(len(names)), key=lambda index: -shares[index])[:most][::-1]
    values = [shares[index] for index in order]
    bar = _bars(values, [names[index] for index in order], [colours.mute] * (len(order) - 1) + [colours.id])
    figure = styled(go.Figure(bar), colours, height=60 + 30 * len(order))
    figure.update_xaxes(range=[0, 1.22], visible=False)
    return figure.update_yaxes(ticksuffix="  ", showgrid=False)


def answers(
    names: Sequence[str], shares: Sequence[Sequence[float]], sides: Sequence[str], colours: Palette, most: int = 3
) -> go.Figure:
    """What the softmax of each checkpoint believes: the classes that any of them believes in most.

    Args:
        names: Of the classes.
        shares: Of each checkpoint, one per class.
        sides: Short names of the checkpoints.
        colours: See `Palette`.
        most: How many classes.
    """
    order = sorted(range(len(names)), key=lambda index: -max(share[index] for share in shares))[:most][::-1]
    labels = [names[index] for index in order]
    shades = [_between(colours.text, colours.line, 0.25 + 0.6 * turn / len(sides)) for turn in range(len(sides))]
    drawn = [
        _bars([share[index] for index in order], labels, shade).update(name=f"{turn} {side}")
        for turn, side, share, shade in zip(count(1), sides, shares, shades, strict=False)
    ]
    figure = styled(go.Figure(drawn[::-1]), colours, height=76 + (14 + SLIM * len(sides)) * len(order))
    return figure.update_layout(
        showlegend=True,
        bargap=0.22,
        bargroupgap=0.12,
        legend={"orientation": "h", "traceorder": "reversed", "y": 1, "yanchor": "bottom", "x": 0, "xref": "container"},
        margin={"t": 44},
        xaxis={"range": [0, 1.26], "visible": False},
        yaxis={"ticksuffix": "  ", "showgrid": False},
    )


def standings(rows: Sequence[Standing], acceptance: float, colours: Palette) -> go.Figure:
    """One photo under several scores, first on top, and the line that decides.

    Args:
        rows: One per score and checkpoint; checkpoints keep one order, and carry its numbers where there are several.
        acceptance: Share of known images to keep, 0..1; flagged photos lie at or right of it.
        colours: See `Palette`.
    """
    names, sides = (list(dict.fromkeys(of)) for of in ([row.title for row in rows], [row.side for row in rows]))
    many = len(sides) > 1
    heights = [
        len(names) - 1 - names.index(row.title) + _offset(sides.index(row.side), len(sides)) for row in reversed(rows)
    ]
    dots = go.Scatter(
        x=[row.rank for row in reversed(rows)],
        y=heights,
        mode="markers+text" if many else "markers",
        text=[str(sides.index(row.side) + 1) if many else "" for row in reversed(rows)],
        textfont={"size": 10, "color": colours.page},
        marker={
            "size": 15 if many else 13,
            "color": [colours.ood if row.flagged else colours.id for row in reversed(rows)],
            "symbol": ["diamond" if row.flagged else "circle" for row in reversed(rows)],
        },
        customdata=[
            (f"{row.side}, {row.title}" if many else row.title, "flagged" if row.flagged else "kept")
            for row in reversed(rows)
        ],
        hovertemplate="%{customdata[0]}: above %{x:.1%} of known images, %{customdata[1]}<extra></extra>",
        cliponaxis=False,
    )
    row = SLIM * len(sides) + 8 if many else ROW
    figure = styled(go.Figure(dots), colours, height=64 + row * len(names))
    line = {"color": colours.text, "width": 2}
    return figure.update_layout(
        shapes=[
            {"x0": acceptance, "x1": acceptance, "y0": 0, "y1": 1, "yref": "paper", "line": line, "layer": "below"}
        ],
        xaxis={
            "range": [0, 1.02],
            "tickvals": [0, 0.25, 0.5, 0.75, 1],
            "tickformat": ".0%",
            "gridcolor": colours.line,
            "zeroline": False,
        },
        yaxis={
            "tickvals": list(range(len(names))),
            "ticktext": names[::-1],
            "range": [-0.6, len(names) - 0.4],
            "ticksuffix": "  ",
            "gridcolor": colours.line,
            "griddash": "dot",
            "zeroline": False,
        },
    )


def ends(maps: Sequence[Float32[np.ndarray, "h w"]]) -> float:
    """The value at both ends of a scale that several maps share; the strongest of two hundred pixels is beyond it."""
    return max(float(np.quantile(np.abs(values), 0.995)) for values in maps) or 1.0


def attribution(values: Float32[np.ndarray, "h w"], picture: str, end: float, colours: Palette) -> go.Figure:
    """What raises (orange) and lowers (blue) the energy, over the picture in grey.

    Args:
        values: Above 0 raises.
        picture: The same view in grey, as a data URI.
        end: See `ends`.
        colours: See `Palette`.
    """
    high, wide = values.shape
    heat = go.Heatmap(
        z=values,
        zmin=-end,
        zmax=end,
        zsmooth="best",
        colorscale=[
            [0, wash(colours.id, 0.92)],
            [0.25, wash(colours.id, 0.72)],
            [0.5, wash(colours.id, 0.0)],
            [0.5, wash(colours.ood, 0.0)],
            [0.75, wash(colours.ood, 0.72)],
            [1, wash(colours.ood, 0.92)],
        ],
        hovertemplate="%{z:+.4f}<extra></extra>",
        colorbar={
            "orientation": "h",
            "thickness": 8,
            "len": 1,
            "y": -0.03,
            "yanchor": "top",
            "outlinewidth": 0,
            "tickvals": [-end, 0, end],
            "ticktext": [number(-end), "0", f"+{number(end)}"],
            "ticklabeloverflow": "allow",
        },
    )
    figure = styled(go.Figure(heat), colours, height=250)
    figure.update_layout(width=220, margin={"l": 14, "r": 14, "t": 0, "b": 42})
    figure.add_layout_image(
        source=picture, xref="x", yref="y", x=-0.5, y=-0.5, sizex=wide, sizey=high, sizing="stretch", layer="below"
    )
    figure.update_xaxes(visible=False, range=[-0.5, wide - 0.5], constrain="domain")
    return figure.update_yaxes(visible=False, range=[high - 0.5, -0.5], scaleanchor="x")


def _outline(heights: Float64[np.ndarray, " bars"], width: float, height: float) -> str:
    step = width / len(heights)
    stairs = "".join(f"V{height - height * value:.1f}H{step * (bar + 1):.1f}" for bar, value in enumerate(heights))
    return f"M0 {height:g}{stairs}V{height:g}"


def _bars(values: Sequence[float], names: Sequence[str], colour: str | Sequence[str]) -> go.Bar:
    return go.Bar(
        x=values,
        y=names,
        orientation="h",
        marker={"color": colour, "cornerradius": 3},
        text=[f"{100 * value:.1f} %" for value in values],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.2%}<extra></extra>",
    )


def _offset(turn: int, sides: int) -> float:
    """Checkpoints of one score below each other, the first on top."""
    return 0.0 if sides == 1 else 0.62 * (0.5 - turn / (sides - 1))


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _between(one: str, other: str, share: float) -> str:
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + share * (b - a)):02X}" for a, b in pairs)
