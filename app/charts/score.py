"""Histograms of a score, and one photo closely."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float64

from app.charts.style import styled
from app.theme import Palette

__all__ = ["Bins", "Standing", "bins", "class_shares", "standings"]

BARS = 56


class Bins(NamedTuple):
    """Two histograms over the same edges, each relative to its own tallest bar."""

    edges: Float64[np.ndarray, " bars+1"]
    id: Float64[np.ndarray, " bars"]
    ood: Float64[np.ndarray, " bars"] | None


class Standing(NamedTuple):
    """One score of a photo: the share of known images that score lower, 0..1, and the decision."""

    title: str
    rank: float
    flagged: bool


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


def class_shares(names: Sequence[str], shares: Sequence[float], colours: Palette, most: int = 6) -> go.Figure:
    """What the softmax believes: its largest shares, largest on top."""
    order = sorted(range(len(names)), key=lambda index: -shares[index])[:most][::-1]
    values = [shares[index] for index in order]
    bar = go.Bar(
        x=values,
        y=[names[index] for index in order],
        orientation="h",
        marker={"color": [colours.mute] * (len(order) - 1) + [colours.id], "cornerradius": 3},
        text=[f"{100 * value:.1f} %" for value in values],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.2%}<extra></extra>",
    )
    figure = styled(go.Figure(bar), colours, height=60 + 30 * len(order))
    figure.update_xaxes(range=[0, 1.22], visible=False)
    return figure.update_yaxes(ticksuffix="  ", showgrid=False)


def standings(rows: Sequence[Standing], acceptance: float, colours: Palette) -> go.Figure:
    """One photo under several scores, first on top, and the line that decides.

    Args:
        rows: One per score.
        acceptance: Share of known images to keep, 0..1; flagged photos lie at or right of it.
        colours: See `Palette`.
    """
    names = [row.title for row in rows[::-1]]
    flagged = [row.flagged for row in rows[::-1]]
    dots = go.Scatter(
        x=[row.rank for row in rows[::-1]],
        y=names,
        mode="markers",
        marker={
            "size": 13,
            "color": [colours.ood if over else colours.id for over in flagged],
            "symbol": ["diamond" if over else "circle" for over in flagged],
        },
        customdata=["flagged" if over else "kept" for over in flagged],
        hovertemplate="%{y}: above %{x:.1%} of known images, %{customdata}<extra></extra>",
        cliponaxis=False,
    )
    figure = styled(go.Figure(dots), colours, height=64 + 30 * len(names))
    figure.add_vline(x=acceptance, line={"color": colours.text, "width": 2})
    figure.update_xaxes(
        range=[0, 1.02], tickvals=[0, 0.25, 0.5, 0.75, 1], tickformat=".0%", gridcolor=colours.line, zeroline=False
    )
    return figure.update_yaxes(ticksuffix="  ", gridcolor=colours.line, griddash="dot")
