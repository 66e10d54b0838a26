"""A tray of pictures of which one is chosen, by click or by arrow keys; names are set as text, never as HTML."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["Thumb", "tray"]

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Thumb:
    """One picture; those of one group lie together, in the order in which they come."""

    id: str
    source: str  # a data URI
    name: str
    group: str


def tray(thumbs: Sequence[Thumb], *, chosen: str, label: str, key: str) -> str | None:
    """Draw it.

    Args:
        thumbs: At least one.
        chosen: The picture that is marked; the visitor's own choice is marked at once.
        label: What is chosen here, for who cannot see it.
        key: Streamlit key.

    Returns:
        What the visitor last chose; None until they do.
    """
    data = {"thumbs": [asdict(thumb) for thumb in thumbs], "chosen": chosen, "label": label}
    picked = _component()(data=data, key=key, on_picked_change=_nothing).get("picked")
    return None if picked is None else str(picked)


@cache
def _component() -> Any:
    html, css, js = ((HERE / f"tray.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    return st.components.v2.component("tray", html=html, css=css, js=js)


def _nothing() -> None:
    """Streamlit wants a callback for each state that a component reports."""
