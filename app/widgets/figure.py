"""A figure with what can be taken home from it: PNG, SVG, and its numbers."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
import streamlit as st

from app.components.saves import saves
from app.services.spreadsheet import comma_separated

__all__ = ["CONFIG", "figure", "takeaway"]

CONFIG = {"displayModeBar": False, "displaylogo": False}


def figure(drawn: go.Figure, columns: Mapping[str, Sequence[object]], *, name: str, alt: str) -> None:
    """Draw it, with its downloads below.

    Args:
        drawn: From `app.charts`.
        columns: Title → values, all of one length: what the CSV holds.
        name: Of the files, and the key on the page, as "energy-by-class".
        alt: What the figure shows, for who cannot see it.
    """
    with st.container(key=f"figure-{name}", gap=None):
        st.plotly_chart(drawn, key=name, config=CONFIG, alt=alt)
        takeaway(name, columns)


def takeaway(name: str, columns: Mapping[str, Sequence[object]] | None, *, picture: bool = True) -> None:
    """The downloads alone, for what is drawn in `st.container(key=f"figure-{name}")`: Plotly, or `svg.figure`.

    Args:
        name: See `figure`.
        columns: See `figure`; None takes what the component that draws it tells, for a figure that still grows.
        picture: Whether it is a drawing; without, only its numbers are offered.
    """
    table = None if columns is None else comma_separated(columns)
    saves(place=f"st-key-figure-{name}", name=name, table=table, picture=picture, key=f"saves-{name}")
