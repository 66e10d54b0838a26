"""A network's blocks from left to right: norms, NormRatio and AUROC, one column each."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float64
from plotly.subplots import make_subplots

from app.charts.style import styled, wash
from app.theme import Palette, number

__all__ = ["Columns", "histograms", "outlines", "strip", "words"]

BARS = 28
HALF = 0.42  # width of one side of a column, in columns
FAR = 0.01  # share at each end that is not drawn


class Columns(NamedTuple):
    """What is drawn of every block; norms are as they are, and are drawn relative to the median known image.

    Args:
        names: Of the blocks.
        selected: Index of the one that NormRatio selects, or None where that is not known.
        known: Norms of known images.
        outliers: Norms of outliers, or None without any.
        picture: Norms of the picture.
        jigsaws: Norms of its jigsaws.
        ratios: NormRatio, or None where it is not known.
        own: The picture's own ratio.
        aurocs: Or None without outliers.
    """

    names: Sequence[str]
    selected: int | None
    known: Float64[np.ndarray, "n b"]
    outliers: Float64[np.ndarray, "m b"] | None
    picture: Float64[np.ndarray, " b"]
    jigsaws: Float64[np.ndarray, "j b"]
    ratios: Float64[np.ndarray, " b"] | None
    own: Float64[np.ndarray, " b"]
    aurocs: Float64[np.ndarray, " b"] | None


def strip(columns: Columns, colours: Palette, outliers: str) -> go.Figure:
    """Three rows over the same columns.

    Args:
        columns: See `Columns`.
        colours: See `Palette`.
        outliers: What the outliers are, for the legend.
    """
    titles = [
        "FeatureNorm ÷ that of the median known image",
        "NormRatio: above 1 = prefers whole pictures",
        "AUROC ↑ of each norm against these outliers",
    ]
    rows = 2 if columns.aurocs is None else 3
    figure = make_subplots(rows, 1, shared_xaxes=True, row_heights=[0.56, 0.24, 0.2][:rows], vertical_spacing=0.085)
    _norms(figure, columns, colours, outliers)
    _ratios(figure, columns, colours)
    if columns.aurocs is not None:
        _aurocs(figure, columns.aurocs, columns.selected, colours)
    return _dressed(figure, columns, colours, titles[:rows])


def histograms(norms: Float64[np.ndarray, "n b"], bars: int = 16) -> list[list[int]]:
    """One for each block, over its own range."""
    return [np.histogram(column, bars)[0].tolist() for column in norms.T]


def _norms(figure: go.Figure, columns: Columns, colours: Palette, outliers: str) -> None:
    scale = np.median(columns.known, axis=0)
    sides = [(columns.known / scale, -1, colours.id, "solid", "known images (ID)")]
    if columns.outliers is not None:
        sides.append((columns.outliers / scale, 1, colours.ood, "4px 3px", f"outliers (OOD): {outliers}"))
    for values, side, colour, dash, name in sides:
        figure.add_trace(_halves(values, side, colour, dash, name), 1, 1)
    places = list(range(len(columns.names)))
    figure.add_trace(
        go.Scatter(
            x=np.repeat(places, len(columns.jigsaws)),
            y=(columns.jigsaws / scale).T.ravel(),
            mode="markers",
            name="its jigsaws",
            marker={"symbol": "line-ew", "size": 11, "line": {"width": 1.5, "color": colours.mute}},
            hovertemplate="a jigsaw: %{y:.2f}<extra></extra>",
        ),
        1,
        1,
    )
    figure.add_trace(
        go.Scatter(
            x=places,
            y=columns.picture / scale,
            mode="lines+markers",
            name="this picture",
            line={"color": colours.text, "width": 1.2, "dash": "dot"},
            marker={
                "symbol": "star-diamond",
                "size": 13,
                "color": colours.text,
                "line": {"width": 1.5, "color": colours.page},
            },
            hovertemplate="this picture: %{y:.2f}<extra></extra>",
        ),
        1,
        1,
    )


def _halves(values: Float64[np.ndarray, "n b"], side: int, colour: str, dash: str, name: str) -> go.Scatter:
    """Half of a violin for every block, leaning on its column; one trace, since each costs the browser time."""
    across: list[float] = []
    up: list[float] = []
    for block, column in enumerate(values.T):
        middles, heights = _outline(column)
        across += [block, *(block + side * HALF * heights), block, np.nan]  # NaN lifts the pen
        up += [middles[0], *middles, middles[-1], np.nan]
    return go.Scatter(
        x=np.array(across),
        y=np.array(up),
        mode="lines",
        fill="toself",
        fillcolor=wash(colour, 0.16),
        line={"color": colour, "width": 1.8, "dash": dash, "shape": "spline", "smoothing": 0.6},
        name=name,
        hoverinfo="skip",
    )


def _outline(values: Float64[np.ndarray, " n"]) -> tuple[Float64[np.ndarray, " bars"], Float64[np.ndarray, " bars"]]:
    """Middles and heights of a smoothed histogram, the tallest 1."""
    low, high = np.quantile(values, [FAR, 1 - FAR])
    counts, edges = np.histogram(values, BARS, (low, high if high > low else low + 1e-6))
    smooth = np.convolve(np.pad(counts, 2, mode="edge"), [0.1, 0.2, 0.4, 0.2, 0.1], mode="valid")
    return (edges[1:] + edges[:-1]) / 2, smooth / max(smooth.max(), 1e-12)


def outlines(columns: Columns) -> dict[str, list[object]]:
    """The outlines and jigsaws that are drawn, a line for each point; norms as they are drawn, and as they are."""
    scale = np.median(columns.known, axis=0)
    sides = {"known images": columns.known, "outliers": columns.outliers}
    rows: list[tuple[object, ...]] = []
    for at, block in enumerate(columns.names):
        for of, values in sides.items():
            if values is not None:
                points = zip(*_outline(values[:, at] / scale[at]), strict=True)
                rows += [(block, of, float(norm), float(norm * scale[at]), float(height)) for norm, height in points]
        cut = columns.jigsaws[:, at].tolist()
        rows += [(block, f"jigsaw {number}", norm / scale[at], norm, None) for number, norm in enumerate(cut, start=1)]
    titles = ("block", "of", "norm relative to the median known image", "norm", "height")
    return {title: [row[column] for row in rows] for column, title in enumerate(titles)}


def _ratios(figure: go.Figure, columns: Columns, colours: Palette) -> None:
    places = list(range(len(columns.names)))
    if columns.ratios is not None:
        chosen = [block == columns.selected for block in places]
        figure.add_trace(
            go.Bar(
                x=places,
                y=columns.ratios - 1,
                base=1,
                width=0.5,
                marker={
                    "color": [colours.id if one else colours.line for one in chosen],
                    "line": {"color": colours.id, "width": [2 if one else 0 for one in chosen]},
                    "cornerradius": 2,
                },
                customdata=columns.ratios,
                hovertemplate="NormRatio %{customdata:.3f}<extra></extra>",
                showlegend=False,
            ),
            2,
            1,
        )
    figure.add_trace(
        go.Scatter(
            x=places,
            y=columns.own,
            mode="markers",
            marker={
                "symbol": "star-diamond",
                "size": 10,
                "color": colours.text,
                "line": {"width": 1, "color": colours.page},
            },
            hovertemplate="this picture alone: %{y:.3f}<extra></extra>",
            showlegend=False,
        ),
        2,
        1,
    )
    figure.add_hline(y=1, line={"color": colours.mute, "width": 1, "dash": "dot"}, row=2, col=1)


def _aurocs(figure: go.Figure, aurocs: Float64[np.ndarray, " b"], selected: int | None, colours: Palette) -> None:
    places, best = list(range(len(aurocs))), int(aurocs.argmax())
    figure.add_trace(
        go.Scatter(
            x=places,
            y=aurocs,
            mode="lines+markers+text",
            line={"color": colours.mute, "width": 1.2},
            marker={
                "size": [13 if block == selected else 8 for block in places],
                "symbol": ["square" if block == selected else "circle" for block in places],
                "color": [colours.id if block == selected else colours.mute for block in places],
            },
            text=[f"{100 * value:.0f}" if block in (selected, best) else "" for block, value in enumerate(aurocs)],
            textposition="top center",
            textfont={"color": colours.text, "size": 12},
            hovertemplate="AUROC %{y:.1%}<extra></extra>",
            showlegend=False,
            cliponaxis=False,
        ),
        3,
        1,
    )
    figure.add_hline(y=0.5, line={"color": colours.mute, "width": 1, "dash": "dot"}, row=3, col=1)


def _dressed(figure: go.Figure, columns: Columns, colours: Palette, titles: Sequence[str]) -> go.Figure:
    places = list(range(len(columns.names)))
    styled(figure, colours, height=400 + 130 * (len(titles) - 1))
    figure.update_layout(
        margin={"l": 44, "r": 10, "t": 24, "b": 34},
        showlegend=True,
        legend={"orientation": "h", "x": -0.02, "y": 1.06, "yanchor": "bottom", "font": {"size": 12}},
        hovermode="x",
    )
    names = [f"<b>{name}</b>" if block == columns.selected else name for block, name in enumerate(columns.names)]
    figure.update_xaxes(
        range=[-0.6, len(places) - 0.4], tickvals=places, ticktext=names, showgrid=False, zeroline=False, showline=False
    )
    figure.update_yaxes(gridcolor=colours.line, zeroline=False, nticks=5, tickfont={"size": 11})
    if len(titles) == 3:
        figure.update_yaxes(tickformat=".0%", nticks=4, row=3, col=1)
    for row, title in enumerate(titles, start=1):
        axis = figure.layout["yaxis" if row == 1 else f"yaxis{row}"]
        figure.add_annotation(
            text=title, x=0, xref="x domain", xshift=-40, xanchor="left", y=axis.domain[1], yref="paper",
            yanchor="bottom", yshift=3, showarrow=False, font={"size": 12, "color": colours.mute},
        )  # fmt: skip
    if columns.selected is not None:
        figure.add_vrect(
            x0=columns.selected - 0.5,
            x1=columns.selected + 0.5,
            fillcolor=colours.mute,
            opacity=0.1,
            line_width=0,
            layer="below",
        )
        figure.add_annotation(
            text="▼ selected", x=columns.selected, xref="x", y=1, yref="y domain", yanchor="top", showarrow=False,
            font={"size": 12, "color": colours.text},
        )  # fmt: skip
    return figure


def words(columns: Columns) -> str:
    """What the figure shows, for who cannot see it."""
    told = ", ".join(
        f"{name}: picture {number(value)}"
        + ("" if columns.aurocs is None else f", AUROC {100 * columns.aurocs[block]:.1f} %")
        for block, (name, value) in enumerate(zip(columns.names, columns.picture, strict=True))
    )
    chosen = "" if columns.selected is None else f" NormRatio selects {columns.names[columns.selected]}."
    return f"FeatureNorm of every block. {told}.{chosen}"
