"""The stage of a lesson: dials, drawings, numbers and a formula, answered in the browser while they are dragged.

Python sends tables for every position of the dials once; the browser looks them up and reports the positions on
release. Names and pictures are set as text and as image sources, never as HTML.
"""

from collections.abc import Mapping
from typing import Any

from app.components.made import made, nothing

__all__ = ["stage"]


def stage(parts: Mapping[str, Any], *, name: str, large: bool, dark: bool, key: str) -> dict[str, int] | None:
    """Draw it; returns the positions that the visitor last settled on, or None until they do.

    Args:
        parts: Dials, pictures, views, facts and numbers, as `Scene.stage` writes them.
        name: What is on the stage; with another name, it opens anew.
        large: For a room that looks on from afar.
        dark: On a dark page.
        key: Streamlit key.
    """
    data = {"id": name, "large": large, "dark": dark, **parts}
    at = made("stage")(data=data, key=key, on_at_change=nothing).get("at")
    return None if at is None else {name: int(index) for name, index in at.items()}
