"""What a link carries: keys of the URL, their defaults, and how they are read."""

from collections.abc import Sequence

import streamlit as st

__all__ = ["ACCEPTANCE", "AGAINST", "CHECKPOINT", "KEEP", "SCORER", "SHOW", "keep", "remember", "stray"]

CHECKPOINT, SCORER, AGAINST, SHOW, KEEP = "checkpoint", "scorer", "against", "show", "keep"
ACCEPTANCE = 0.95


def keep() -> float:
    """The acceptance in the link, as a share; what is no percentage between 0 and 100 counts as absent."""
    try:
        value = float(st.query_params.get(KEEP, "")) / 100
    except ValueError:
        return ACCEPTANCE
    return value if 0 < value < 1 else ACCEPTANCE


def remember(acceptance: float) -> None:
    """Write the acceptance into the link; the default is left out of it."""
    if acceptance == ACCEPTANCE:
        st.query_params.pop(KEEP, None)
    else:
        st.query_params[KEEP] = f"{100 * acceptance:g}"


def stray(key: str, known: Sequence[str]) -> str | None:
    """What a link asked for that this server does not have. Ask before the widget with this key is drawn."""
    wanted = st.query_params.get(key)
    return wanted if wanted and wanted not in known else None
