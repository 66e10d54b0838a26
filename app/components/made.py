"""Components from the files beside them: HTML, CSS where there is any, and a script behind what all of them share."""

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["made", "nothing"]

HERE = Path(__file__).parent


@cache
def made(name: str) -> Any:
    """The component in the folder of that name."""
    shared, html, js = (
        (HERE / file).read_text(encoding="utf-8") for file in ("shared.js", f"{name}/{name}.html", f"{name}/{name}.js")
    )
    style = HERE / name / f"{name}.css"
    css = style.read_text(encoding="utf-8") if style.exists() else None
    return st.components.v2.component(name, html=html, css=css, js=f"{shared}\n{js}")


def nothing() -> None:
    """Streamlit wants a callback for each state that a component reports."""
