"""Energies before and after a fine-tuning, of known images and of outliers, on one axis."""

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float64
from plotly.subplots import make_subplots

from app.charts.style import styled, wash
from app.theme import Palette

__all__ = ["Spread", "before_and_after", "columns", "spread"]

BARS = 48


class Spread(NamedTuple):
    """Histograms over the same edges; each holds the share of its own images in every bar."""

    edges: Float64[np.ndarray, " bars+1"]
    before_id: Float64[np.ndarray, " bars"]
    before_ood: Float64[np.ndarray, " bars"]
    after_id: Float64[np.ndarray, " bars"]
    after_ood: Float64[np.ndarray, " bars"]


def spread(
    before: tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " m"]],
    after: tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " m"]],
) -> Spread:
    """Known images and outliers, before and after. The far ends, half a percent each, lie in the outermost bars."""
    sets = (*before, *after)
    low = min(float(np.quantile(energies, 0.005)) for energies in sets)
    high = max(float(np.quantile(energies, 0.995)) for energies in sets)
    room = 0.03 * (high - low) or 0.5
    edges = np.linspace(low - room, high + room, BARS + 1)
    shares = [np.histogram(part.clip(edges[0], edges[-1]), edges)[0] / max(len(part), 1) for part in sets]
    return Spread(edges, *shares)


def before_and_after(
    drawn: Spread, margins: tuple[float, float] | None, names: tuple[str, str], colours: Palette
) -> go.Figure:
    """Two rows with one axis: solid and filled is known, dashed is out-of-distribution.

    Args:
        drawn: See `spread`.
        margins: Below the first, energies of known images do not count in the loss any more; above the second, those
            of outliers.
        names: Of the known images and of the outliers.
        colours: See `Palette`.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.13)
    middles = (drawn.edges[1:] + drawn.edges[:-1]) / 2
    for row, (known, outliers) in enumerate(
        ((drawn.before_id, drawn.before_ood), (drawn.after_id, drawn.after_ood)), start=1
    ):
        for shares, name, colour, dash, fill in (
            (known, names[0], colours.id, "solid", "tozeroy"),
            (outliers, names[1], colours.ood, "dash", None),
        ):
            figure.add_scatter(
                x=middles,
                y=shares,
                mode="lines",
                name=name,
                line={"color": colour, "width": 2, "dash": dash, "shape": "hvh"},
                fill=fill,
                fillcolor=wash(colour, 0.16),
                showlegend=row == 1,
                hovertemplate=f"{name}: %{{y:.1%}} around %{{x:.2f}}<extra></extra>",
                row=row,
                col=1,
            )
        figure.add_annotation(
            text=f"<b>{'Before' if row == 1 else 'After'}</b>",
            x=0,
            xref="paper",
            xanchor="left",
            y=1.02,
            yref="y domain" if row == 1 else "y2 domain",
            yanchor="bottom",
            showarrow=False,
        )
    for value, text in zip(margins or (), ("margin in", "margin out"), strict=False):
        figure.add_vline(x=value, line={"color": colours.mute, "width": 1.5, "dash": "dot"})
        figure.add_annotation(
            text=f"{text} {value:.2f}".replace("-", "\N{MINUS SIGN}"),
            x=value,
            y=1,
            yref="y2 domain",
            yanchor="top",
            xanchor="right" if text == "margin in" else "left",
            showarrow=False,
            font={"color": colours.mute, "size": 11},
        )
    styled(figure, colours, height=430)
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
        margin={"l": 4, "r": 12, "t": 40, "b": 44},
        hovermode="x",
    )
    figure.update_yaxes(visible=False, rangemode="tozero")
    figure.update_xaxes(zeroline=False, gridcolor=colours.line, showline=True, linecolor=colours.line)
    return figure.update_xaxes(title={"text": "free energy → more out-of-distribution", "standoff": 8}, row=2, col=1)


def columns(drawn: Spread) -> dict[str, list[float]]:
    """The same numbers as a table."""
    return {
        "energy_from": drawn.edges[:-1].tolist(),
        "energy_to": drawn.edges[1:].tolist(),
        "before_known": drawn.before_id.tolist(),
        "before_outliers": drawn.before_ood.tolist(),
        "after_known": drawn.after_id.tolist(),
        "after_outliers": drawn.after_ood.tolist(),
    }
