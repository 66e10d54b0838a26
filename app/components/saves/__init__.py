"""Buttons that save what stands beside them: as PNG, as SVG, and its numbers as CSV. The server is not asked."""

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["saves"]

HERE = Path(__file__).parent


def saves(*, place: str, name: str, table: str, key: str) -> None:
    """Draw the buttons.

    Args:
        place: CSS class of the container whose picture is meant: a Plotly figure, or `svg.figure` of a component.
        name: Of the files, without ending.
        table: Content of the CSV.
        key: Streamlit key.
    """
    _component()(data={"place": place, "name": name, "table": table}, key=key)


@cache
def _component() -> Any:
    html, css, js = ((HERE / f"saves.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    return st.components.v2.component("saves", html=html, css=css, js=js)
