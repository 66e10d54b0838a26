"""Outliers by the class that a network takes each for, while they are being counted."""

from collections.abc import Sequence

import plotly.graph_objects as go

from app.charts.style import styled
from app.theme import Palette

__all__ = ["growing"]

NAMED = 24  # classes whose names have room below their bars


def growing(classes: Sequence[str], counts: Sequence[int], colours: Palette) -> go.Figure:
    """One bar per class, in the order of the classes.

    Args:
        classes: Their names.
        counts: Outliers of each so far.
        colours: See `Palette`.
    """
    bars = go.Bar(
        x=list(range(len(classes))),
        y=list(counts),
        customdata=list(classes),
        marker={"color": colours.aux},
        hovertemplate="%{customdata}: %{y:,}<extra></extra>",
    )
    figure = styled(go.Figure(bars), colours, height=220)
    named = len(classes) <= NAMED
    figure.update_layout(bargap=0.25 if named else 0, margin={"b": 44 if named else 12})
    figure.update_xaxes(tickvals=list(range(len(classes))), ticktext=list(classes), showticklabels=named)
    return figure.update_yaxes(rangemode="tozero", tickformat=",d", gridcolor=colours.line, zeroline=False)
