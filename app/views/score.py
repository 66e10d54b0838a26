"""Score: pictures in, one forward pass per checkpoint, decisions that move with one dial."""

from collections.abc import Sequence
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state
from app.components.board import Scale, board
from app.services import decisions, resources, samples, table
from app.services.report import Settings
from app.services.resources import Exhibit
from app.services.samples import Picture
from app.services.table import Side
from app.widgets.compare import columns, compared, picked_beside
from app.widgets.figure import takeaway
from app.widgets.page import about, busy, header, no_checkpoint, set_title, unfitted
from app.widgets.photos import remember
from app.widgets.pick import picked_checkpoint
from app.widgets.score import chosen_scorers, closer, expectation, left_out, listing, nothing_yet, take_home
from oodcore.errors import OODError

TITLE = "Does it know what it doesn’t know?"
LEAD = (
    "A classifier must answer with one of its classes, even for something it has never seen. An "
    "**out-of-distribution score** tells when not to believe it: **the higher, the more unusual**. The dial sets how "
    "many known images you insist on keeping; whatever scores above the line is flagged."
)


def render() -> None:
    """Choices on top, then the board, one picture closely, the table, and the checkpoint."""
    header(TITLE, LEAD)
    opened_at = st.session_state.pop("opened_at", None)  # set again by the board, so that it is absent without one
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
            opening: tuple[float, Scale] = (state.keep(), "p" if state.by_p() else "share")
            results(sides, scorer, against, pictures, opened_at or opening)
        about(main)
    except OODError as problem:
        st.error(str(problem), icon=":material/error:")


def chosen_score(place: DeltaGenerator, beside: DeltaGenerator, shown: Exhibit) -> tuple[str, str | None]:
    """The scorer that decides, and the outliers that it is measured against."""
    scorer = place.selectbox(
        "Score that decides",
        shown.scorers,
        index=shown.scorers.index(shown.first),
        format_func=shown.title,
        key=state.SCORER,
        bind="query-params",
        help="All of them come from the same forward pass. Higher always means more out-of-distribution.",
    )
    if not shown.outliers:
        return scorer, None
    against = beside.selectbox(
        "Outliers to compare with",
        shown.outliers,
        format_func=set_title,
        key=state.AGAINST,
        bind="query-params",
        help="Reference images that the network must not recognise; the dashed histogram.",
    )
    return scorer, against


def with_scorer(exhibits: dict[str, Exhibit], scorer: str) -> dict[str, Exhibit]:
    """Those that can decide with this scorer, and a sentence about the others."""
    lacking = [name for name, shown in exhibits.items() if scorer not in shown.scorers]
    if lacking:
        st.caption(f"Left out, for it has no score '{scorer}': {', '.join(lacking)}.")
    return {name: shown for name, shown in exhibits.items() if name not in lacking}


def chosen_pictures(shown: Exhibit) -> list[Picture]:
    """Sample sets in one click, and the visitor's own files; a sentence for each file that cannot be used."""
    left, right = st.columns([7, 6], gap="medium")
    groups = samples.groups(shown.model.classes, shown.known)
    with left:
        picked = st.pills(
            "Pictures on the board",
            list(groups),
            selection_mode="multi",
            default=[name for name, group in groups.items() if group.first],
            format_func=lambda name: groups[name].title,
            key=state.SHOW,
            bind="query-params",
            wrap=True,
        )
        expectation([groups[name] for name in picked], shown.model.classes)
    with right:
        files = st.file_uploader(
            f"Your own photos – up to {samples.LIMIT}, {samples.MEGABYTES} MB each",
            type=["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif"],
            accept_multiple_files=True,
            max_upload_size=samples.MEGABYTES,
            key="uploads",
            help="They stay in this session's memory: never written to disk, never shown to anyone else.",
        )
    hashes = st.session_state.setdefault("hashes", {})
    own, sentences = samples.from_files(files, hashes)
    good, broken = samples.prepare(own, shown.model.transform)
    remember(good)
    left_out([*sentences, *broken], len(good))
    return [*good, *(picture for name in picked for picture in groups[name].pictures())]


@st.fragment
def results(
    sides: Sequence[Side],
    scorer: str,
    against: str | None,
    pictures: Sequence[Picture],
    opened_at: tuple[float, Scale],
) -> None:
    """Everything that the dial moves. Releasing it runs this part alone, and no network.

    `opened_at` stays what it was while the board stands: the browser knows better where the dial is, and data that
    does not change is not sent again.
    """
    st.session_state["opened_at"] = opened_at
    shown = compared(sides, scorer, against, pictures)
    levels = shown.dials[0].levels
    with st.container(key="figure-score-histograms", gap=None):
        chosen = board(shown.board, level=decisions.nearest(levels, opened_at[0]), scale=opened_at[1], key="board")
        with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="small"):
            st.caption("The histograms as", width="content")
            with st.container(width=120):
                takeaway("score-histograms", columns(sides, shown.drawn))
    if chosen.acceptance is not None:
        state.remember(chosen.acceptance)
    if chosen.scale is not None:
        state.reword(by_p=chosen.scale == "p")
    level = decisions.nearest(levels, state.keep())
    names = chosen_scorers(sides[0], scorer)
    found = table.rows(sides, pictures, levels[level], names)
    looked_at = next((row for row in found if row.picture.id == chosen.photo), found[0])
    closer(looked_at, names, sides, levels[level])
    listing(found, names, sides, levels[level])
    outliers = set_title(against) if against else ""
    take_home(found, sides, shown, Settings(scorer, names, levels[level], level, outliers))


render()
