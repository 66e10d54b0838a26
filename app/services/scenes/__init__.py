"""Scenes: what lessons can show, one file each, from the outputs of the shipped networks of drawn shapes.

A lesson (`app/lessons/*.toml`) names a scene and picks its dials, drawings, numbers and formulas by name.
"""

from collections.abc import Callable
from typing import Final

import streamlit as st

from app.services.scenes import balance, clusters, energy, margins, norms, softmax
from app.services.scenes.balance import results
from app.services.scenes.cast import Cast
from app.services.scenes.frames import Scene
from oodcore import checkpoint

__all__ = ["SCENES", "content_of", "open_scene"]

SCENES: Final[dict[str, Callable[[Cast], Scene]]] = {
    "softmax": softmax.scene,
    "energy": energy.scene,
    "margins": margins.scene,
    "balance": balance.scene,
    "clusters": clusters.scene,
    "norms": norms.scene,
}


def open_scene(name: str) -> Scene:
    """A scene, computed once for all sessions and again when a network or the measured table has changed.

    Args:
        name: One of `SCENES`.

    Raises:
        CheckpointError: a network is missing.
        DataError: the measured table is missing.
    """
    return _scene(name, content_of(name), _cast(Cast.content(checkpoint.known())))


def content_of(name: str) -> str:
    """What the numbers of a scene depend on.

    Raises:
        CheckpointError: a network is missing.
        DataError: the measured table is missing.
    """
    return Cast.content(checkpoint.known()) + (results().read_text("utf-8") if name == "balance" else "")


@st.cache_resource(max_entries=2, show_spinner=False)
def _cast(content: str) -> Cast:
    return Cast(checkpoint.known())


@st.cache_resource(max_entries=2 * len(SCENES), show_spinner=False)
def _scene(name: str, content: str, _players: Cast) -> Scene:
    return SCENES[name](_players)
