"""Keeps a token in the browser, so that a person is known again after a refresh. Nothing is drawn."""

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["keeper"]

HERE = Path(__file__).parent


def keeper(candidate: str, *, key: str = "keeper") -> str | None:
    """The token that this browser has kept, or None until it has said so.

    Args:
        candidate: Kept from now on by a browser that has none.
        key: Streamlit key.
    """
    return _component()(data={"candidate": candidate}, key=key, on_token_change=_nothing).get("token")


@cache
def _component() -> Any:
    html, js = ((HERE / f"keeper.{kind}").read_text(encoding="utf-8") for kind in ("html", "js"))
    return st.components.v2.component("keeper", html=html, js=js)


def _nothing() -> None:
    """Streamlit wants a callback for each state that a component reports."""
