"""Score: pictures in, one forward pass per checkpoint, decisions that move with one dial."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state
from app.components.board import Scale, board
from app.services import decisions, resources, samples, table
from app.services.report import Settings
from app.services.resources import Exhibit
from app.services.samples import Picture
from app.services.table import Row, Side
from app.widgets.compare import columns, compared, picked_beside
from app.widgets.figure import takeaway
from app.widgets.page import about, busy, header, no_checkpoint, plain, set_title, sorry, spinner, unfitted
from app.widgets.photos import own_photos
from app.widgets.pick import linked_picture, picked, picked_checkpoint, picked_outliers
from app.widgets.score import chosen_scorers, closer, expectation, listing, nothing_yet, take_home
from oodcore.errors import OODError

TITLE = "Does it know what it doesn’t know?"
LEAD = (
    "A classifier must answer with one of its classes, even for something it has never seen. An "
    "**out-of-distribution score** tells when not to believe it: **the higher, the more unusual**. The dial sets how "
    "many known images you insist on keeping; whatever scores above the line is flagged."
)


class Opening(NamedTuple):
    """What the board opens with: share of known images to keep, how the dial is worded, and the picture looked at.

    It stays what it was while the board stands: the browser knows better where the dial is, and data that does not
    change is not sent again.
    """

    acceptance: float
    scale: Scale
    photo: str  # beginning of its hash, or ""


def render() -> None:
    """Choices on top, then the board, one picture closely, the table, and the checkpoint."""
    header(TITLE, LEAD)
    opened = state.here().pop("board", None)  # set again by the board, so that it is absent without one
    folders = resources.folders()
    if not folders:
        no_checkpoint()
        return
    places = st.columns([4, 5, 3, 4])
    try:
        main = picked_checkpoint(places[0], folders)
        if main.panel is None:
            unfitted(main)
            return
        exhibits = picked_beside(places[1], folders, main)
        scorer, against = chosen_score(places[2], places[3], main)
        exhibits = with_scorer(exhibits, scorer)
        pictures = chosen_pictures(main)
        if not pictures:
            nothing_yet()
        else:
            waiting = partial(busy, st.empty())
            sides = [
                Side(name, one, resources.answers(one, pictures, waiting, [scorer])) for name, one in exhibits.items()
            ]
            opening = Opening(state.keep(), "p" if state.by_p() else "share", state.photo())
            results(sides, scorer, against, pictures, opened or opening)
        about(main)
    except OODError as problem:
        sorry(problem)


def chosen_score(place: DeltaGenerator, beside: DeltaGenerator, shown: Exhibit) -> tuple[str, str | None]:
    """The scorer that decides, and the outliers that it is measured against."""
    scorer = picked(
        place,
        "Score that decides",
        shown.scorers,
        key=state.SCORER,
        usual=shown.first,
        titles=shown.title,
        help_="All of them come from the same forward pass. Higher always means more out-of-distribution.",
    )
    words = "Reference images that the network must not recognise; the dashed histogram."
    return scorer, picked_outliers(beside, shown, words, usual=shown.hardest)


def with_scorer(exhibits: dict[str, Exhibit], scorer: str) -> dict[str, Exhibit]:
    """Those that can decide with this scorer, and a sentence about the others."""
    lacking = [name for name, shown in exhibits.items() if scorer not in shown.scorers]
    if lacking:
        st.caption(f"Left out, for it has no score '{scorer}': {plain(', '.join(lacking))}.")
    return {name: shown for name, shown in exhibits.items() if name not in lacking}


def chosen_pictures(shown: Exhibit) -> list[Picture]:
    """Sample sets in one click, and the visitor's own files; a sentence for each file that cannot be used."""
    left, right = st.columns([7, 6], gap="medium")
    groups = samples.groups(shown.model.classes, shown.known)
    usual = [name for name, group in groups.items() if group.first]
    state.unknown(state.SHOW, list(groups))
    state.choose_some(state.SHOW, list(groups), usual)
    with left:
        names = st.pills(
            "Pictures on the board",
            list(groups),
            selection_mode="multi",
            format_func=lambda name: groups[name].title,
            key=state.SHOW,
            wrap=True,
        )
        expectation([groups[name] for name in names], shown.model.classes)
    state.chosen(state.SHOW, names, usual)
    label = f"Your own photos – up to {samples.LIMIT}, {samples.MEGABYTES} MB each"
    own = own_photos(right, shown, label=label, key="uploads")
    return [*own, *(picture for name in names for picture in groups[name].pictures())]


@st.fragment
def results(
    sides: Sequence[Side],
    scorer: str,
    against: str | None,
    pictures: Sequence[Picture],
    opened: Opening,
) -> None:
    """Everything that the dial moves. Releasing it runs this part alone, and no network."""
    state.here()["board"] = opened
    linked_picture(pictures)
    shown = compared(sides, scorer, against, pictures)
    levels = shown.dials[0].levels
    with st.container(key="figure-score-histograms", gap=None):
        chosen = board(
            shown.board,
            level=decisions.nearest(levels, opened.acceptance),
            scale=opened.scale,
            selected=next((one.id for one in pictures if opened.photo and one.id.startswith(opened.photo)), None),
            key="board",
        )
        with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="small"):
            st.caption("The histograms as", width="content")
            with st.container(width=120):
                takeaway("score-histograms", columns(sides, shown.drawn))
    if chosen.acceptance is not None:
        state.remember(chosen.acceptance)
    if chosen.scale is not None:
        state.reword(by_p=chosen.scale == "p")
    level = decisions.nearest(levels, state.keep())
    state.remember(levels[level])  # a link may ask for more than the dial can do
    names = chosen_scorers(sides[0], scorer)
    ready = all(resources.answered(side.shown, pictures, names) for side in sides)
    with spinner("Scoring the pictures …", needed=not ready):
        found = table.rows(sides, pictures, levels[level], names, partial(busy, st.empty()))
    looked_at = looked_at_closely(found, chosen.photo, opened.photo)
    closer(looked_at, names, sides, levels[level])
    listing(found, names, sides, levels[level])
    outliers = set_title(against) if against else ""
    take_home(found, sides, shown, Settings(scorer, names, levels[level], level, outliers))


def looked_at_closely(found: Sequence[Row], clicked: str | None, linked: str) -> Row:
    """What was clicked, which is then in the link; else the link's; else the first, as the board marks it."""
    if row := next((row for row in found if row.picture.id == clicked), None):
        state.look_at(row.picture.id)
        return row
    return next((row for row in found if linked and row.picture.id.startswith(linked)), found[0])


render()
