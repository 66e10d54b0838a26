"""Checkpoints: what is on this server, one of them closely, two side by side, and one's own."""

from pathlib import Path
from typing import NoReturn

import streamlit as st

from app import state
from app.services import cabinet, resources
from app.services.cabinet import Listed
from app.services.resources import Exhibit
from app.widgets.bring import OPEN, bring, deletion, fitting, refitting
from app.widgets.checkpoints import (
    blocks_table,
    card_in_words,
    compared,
    facts,
    family_heading,
    mine,
    numbers_table,
    tile,
)
from app.widgets.elsewhere import go, leave, onward
from app.widgets.page import header, no_checkpoint, plain, score_title
from app.widgets.pick import picked_checkpoint
from oodcore.errors import OODError

TITLE = "The networks on this server"
LEAD = (
    "A **checkpoint** is a trained network with all that is known of it: what it learned from, what it sees, which "
    "pictures its scores were fitted on, and how good they are. Bring your own, and every page can use it."
)
VIEWS = {"all": "Gallery", "one": "Look inside", "two": "Compare two", "own": "Bring your own"}
ACROSS = 3


def render() -> None:
    """One of four views, kept in the link."""
    leave()
    if (name := st.session_state.pop(OPEN, None)) is not None:
        opened(name)
    header(TITLE, LEAD)
    if said := st.session_state.pop("said", None):
        st.success(said, icon=":material/check_circle:")
    view = chosen_view()
    folders = resources.folders()
    try:
        if view == "own":
            bring()
        elif not folders:
            no_checkpoint()
        elif view == "two":
            two(folders)
        elif view == "one":
            shown = picked_checkpoint(st.columns([5, 8])[0], folders)
            closely(cabinet.one(shown.name, folders[shown.name]), shown)
        else:
            everything(folders)
    except OODError as problem:
        st.error(plain(str(problem)), icon=":material/error:")


def chosen_view() -> str:
    """The link's, or the gallery."""
    views = list(VIEWS)
    state.unknown(state.VIEW, views)
    state.choose(state.VIEW, views, views[0])
    view = st.segmented_control(
        "View", views, format_func=VIEWS.__getitem__, key=state.VIEW, label_visibility="collapsed", required=True
    )
    state.chosen(state.VIEW, view, views[0])
    return view or views[0]


def opened(name: str) -> NoReturn:
    """Look into one, or at all of them."""
    go("checkpoints", name, **({state.VIEW: "one"} if name else {}))


def everything(folders: dict[str, Path]) -> None:
    """The gallery."""
    found, sentences = cabinet.listed(folders)
    for sentence in sentences:
        st.warning(plain(sentence), icon=":material/broken_image:")
    for family in cabinet.families(found):
        family_heading(family)
        for start in range(0, len(family.members), ACROSS):
            for place, one in zip(st.columns(ACROSS), family.members[start : start + ACROSS], strict=False):
                with place:
                    if tile(one, family.base):
                        st.session_state[OPEN] = one.name
                        st.rerun()


def closely(one: Listed, shown: Exhibit) -> None:
    """Everything that is known of one."""
    title, acts = st.columns([2, 1], vertical_alignment="bottom")
    title.subheader(plain(one.card.title or one.name), anchor=False)
    if mine(one):
        with acts.container(horizontal=True, horizontal_alignment="right"):
            if one.fitted:
                refitting(one)
            deletion(one)
    onward(one.name, here="checkpoints")
    if one.whose != "shipped":
        fitting(one)
    facts(one)
    card, numbers, blocks = st.tabs(["Its card", "Measured", "Blocks"], key=state.TAB, bind="query-params")
    with card:
        card_in_words(one)
    with numbers:
        numbers_table(one, scorer_of(state.MEASURED, one))
    with blocks:
        blocks_table(shown)


def two(folders: dict[str, Path]) -> None:
    """Settings that differ and numbers that changed."""
    places = st.columns([5, 5, 3])
    first = picked_checkpoint(places[0], folders, label="One")
    others = {name: folder for name, folder in folders.items() if name != first.name}
    if not others:
        st.info("There is only one checkpoint on this server. Bring another one to compare.", icon=":material/compare:")
        return
    second = picked_checkpoint(places[1], others, key=state.SECOND, label="Another")
    found, _ = cabinet.listed({one.name: folders[one.name] for one in (first, second)})
    if len(found) == 2:
        with places[2]:
            scorer = scorer_of(state.COMPARED, *found)
        compared(found[0], found[1], scorer)


def scorer_of(key: str, *cards: Listed) -> str:
    """The scorer whose numbers are shown: the link's, of those that all were measured with."""
    each = [{str(entry["scorer"]) for entry in one.card.metrics if "scorer" in entry} for one in cards]
    names = sorted(set.intersection(*each))
    if not names:
        return "energy"
    usual = "energy" if "energy" in names else names[0]
    state.unknown(key, names)
    state.choose(key, names, usual)
    name = st.selectbox("Score", names, format_func=score_title, key=key)
    state.chosen(key, name, usual)
    return name


render()
