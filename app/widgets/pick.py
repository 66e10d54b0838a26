"""Choices that several pages offer, kept in the link."""

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state
from app.services import resources
from app.services.resources import Exhibit
from oodcore import checkpoint

__all__ = ["picked_checkpoint"]


def picked_checkpoint(
    place: DeltaGenerator, folders: dict[str, Path], *, key: str = state.CHECKPOINT, label: str = "Checkpoint"
) -> Exhibit:
    """The link's, or the first.

    Args:
        place: Where the choice is drawn.
        folders: See `resources.folders`.
        key: Of the link; a page with two choices has two.
        label: Above the choice.

    Raises:
        CheckpointError: the chosen one is not what it should be.
    """
    names = list(folders)
    if stray := state.stray(key, names):
        st.warning(
            f"This link points to checkpoint '{stray}', which is not on this server. Showing '{names[0]}' instead.",
            icon=":material/link_off:",
        )
    name = place.selectbox(
        label,
        names,
        key=key,
        bind="query-params",
        help="Networks that ship with the app, and own ones, added on the Checkpoints page.",
    )
    if not checkpoint.is_shipped(folders[name]):
        place.caption("An own checkpoint, not one that ships with the app.")
    with st.spinner("Opening the checkpoint …"):
        return resources.exhibit(folders[name])
