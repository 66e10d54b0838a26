"""Choices that several pages offer, kept in the link."""

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state
from app.services import resources
from app.services.resources import Exhibit
from app.services.samples import Picture
from app.widgets.page import plain, set_title, spinner
from oodcore import checkpoint

__all__ = ["linked_picture", "picked", "picked_checkpoint", "picked_outliers"]


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
    usual = names[0]
    if stray := state.stray(key, names):
        st.warning(
            f"This link points to checkpoint '{plain(stray)}', which is not on this server. "
            f"Showing '{plain(usual)}' instead.",
            icon=":material/link_off:",
        )
    state.choose(key, names, usual)
    name = place.selectbox(
        label, names, key=key, help="Networks that ship with the app, and own ones, added on the Checkpoints page."
    )
    state.chosen(key, name, usual)
    if not checkpoint.is_shipped(folders[name]):
        place.caption("An own checkpoint, not one that ships with the app.")
    with spinner("Opening the checkpoint …", needed=not resources.is_open(folders[name])):
        return resources.exhibit(folders[name])


def picked(
    place: DeltaGenerator,
    label: str,
    names: Sequence[str],
    *,
    key: str,
    usual: str,
    titles: Callable[[str], str],
    help_: str,
) -> str:
    """One of several that have titles on the page and names in links: the link's, the session's, or the usual one.

    Args:
        place: Where the choice is drawn.
        label: Above the choice.
        names: At least one.
        key: Of the link.
        usual: What the page opens with.
        titles: Name → what the page calls it.
        help_: Behind the question mark.
    """
    if stray := state.stray(key, names):
        st.warning(
            f"This link asks for '{plain(stray)}' under “{label}”, which this checkpoint does not have. "
            f"Showing '{plain(titles(usual))}' instead.",
            icon=":material/link_off:",
        )
    state.choose(key, names, usual)
    name = place.selectbox(label, names, format_func=titles, key=key, help=help_)
    state.chosen(key, name, usual)
    return name


def picked_outliers(place: DeltaGenerator, shown: Exhibit, help_: str, usual: str | None = None) -> str | None:
    """A reference set of outliers, the first where nothing is usual; None where the checkpoint brings none."""
    names = shown.outliers
    if not names:
        return None
    label = "Outliers to compare with"
    return picked(place, label, names, key=state.AGAINST, usual=usual or names[0], titles=set_title, help_=help_)


def linked_picture(pictures: Sequence[Picture]) -> Picture | None:
    """The one that the link looks at; None, with a sentence, where it is not here."""
    wanted = state.photo()
    if not wanted:
        state.sift(state.PHOTO, [])
        return None
    found = next((one for one in pictures if one.id.startswith(wanted)), None)
    if found is not None:
        state.look_at(wanted)
    elif not state.looked_at(wanted):
        st.info(
            "The picture that this link looks at is not here, so another one is shown. A visitor’s own photo stays in "
            "the session that it was added in: add the same file yourself to see it.",
            icon=":material/link_off:",
        )
    return found
