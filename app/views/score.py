"""Score: pictures in, one forward pass, a decision that moves with the dial."""

from collections.abc import Sequence
from functools import partial

import streamlit as st
import torch
from jaxtyping import Float64
from streamlit.delta_generator import DeltaGenerator
from torch import Tensor

from app import state, theme
from app.charts.score import bins
from app.components.board import Card, Reference, Words, board
from app.services import decisions, resources, samples, table
from app.services.resources import Answer, Exhibit
from app.services.samples import Picture
from app.widgets.page import about, busy, header, no_checkpoint, set_title, unfitted
from app.widgets.pick import picked_checkpoint
from app.widgets.score import closer, expectation, left_out, listing, nothing_yet
from oodcore.errors import OODError
from oodcore.metrics import auroc

TITLE = "Does it know what it doesn’t know?"
LEAD = (
    "A classifier must answer with one of its classes, even for something it has never seen. An "
    "**out-of-distribution score** tells when not to believe it: **the higher, the more unusual**. The dial sets how "
    "many known images you insist on keeping; whatever scores above the line is flagged."
)
BESIDE = ("energy", "msp", "knn", "mahalanobis", "vim", "react", "gen")  # listed beside the deciding score


def render() -> None:
    """Choices on top, then the board, one picture closely, the table, and the checkpoint."""
    header(TITLE, LEAD)
    opened_at = st.session_state.pop("opened_at", None)  # set again by the board, so that it is absent without one
    folders = resources.folders()
    if not folders:
        no_checkpoint()
        return
    places = st.columns([5, 4, 4])
    try:
        shown = picked_checkpoint(places[0], folders)
        if shown.panel is None:
            unfitted(shown)
            return
        scorer, against = chosen_score(places[1], places[2], shown)
        pictures = chosen_pictures(shown)
        if not pictures:
            nothing_yet()
        else:
            answers = resources.answers(shown, pictures, partial(busy, st.empty()))
            results(shown, scorer, against, pictures, answers, opened_at or state.keep())
        about(shown)
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
        expectation([groups[name] for name in picked], shown)
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
    left_out([*sentences, *broken], len(good))
    return [*good, *(picture for name in picked for picture in groups[name].pictures())]


@st.fragment
def results(
    shown: Exhibit,
    scorer: str,
    against: str | None,
    pictures: Sequence[Picture],
    answers: Sequence[Answer],
    opened_at: float,
) -> None:
    """Everything that the dial moves. Releasing it runs this part alone, and no network.

    `opened_at` stays what it was while the board stands: the browser knows better where the dial is, and data that
    does not change is not sent again.
    """
    st.session_state["opened_at"] = opened_at
    dial = resources.settings(shown, shown.key, scorer, against)
    scores = torch.tensor([answer.scores[scorer] for answer in answers], dtype=torch.float64)
    chosen = board(
        cards=cards(
            shown, scorer, pictures, answers, decisions.kept_from(shown.calibration(scorer), scores, dial.levels)
        ),
        reference=reference(shown, scorer, against),
        words=words(shown, scorer, against),
        levels=dial.levels,
        level=decisions.nearest(dial.levels, opened_at),
        thresholds=dial.thresholds,
        threshold_words=[theme.number(value) for value in dial.thresholds],
        alarms=dial.alarms,
        caught=dial.caught,
        key="board",
    )
    if chosen.acceptance is not None:
        state.remember(chosen.acceptance)
    acceptance = dial.levels[decisions.nearest(dial.levels, state.keep())]
    found = table.rows(shown, pictures, answers, acceptance)
    looked_at = next((row for row in found if row.picture.id == chosen.photo), found[0])
    names = [scorer, *(name for name in BESIDE if name in shown.scorers and name != scorer)]
    closer(looked_at, names, shown, acceptance)
    listing(found, names, shown, acceptance)


def cards(
    shown: Exhibit, scorer: str, pictures: Sequence[Picture], answers: Sequence[Answer], kept_from: Sequence[int]
) -> list[Card]:
    """What the board shows of each picture."""
    found = table.rows(shown, pictures, answers, state.ACCEPTANCE)
    return [
        Card(
            id=row.picture.id,
            name=row.picture.name,
            group=row.picture.group,
            truth=row.picture.truth,
            original=row.view.original,
            seen=row.view.seen,
            small=row.view.small,
            label=row.label,
            confidence=row.answer.confidence,
            score=row.answer.scores[scorer],
            rank=1 - row.p[scorer],
            rankWords=f"More unusual than {theme.percent(1 - row.p[scorer])} of known images",
            scoreWords=theme.number(row.answer.scores[scorer]),
            pWords=theme.p_value(row.p[scorer]),
            keptFrom=first,
        )
        for row, first in zip(found, kept_from, strict=True)
    ]


def reference(shown: Exhibit, scorer: str, against: str | None) -> Reference:
    """Both histograms: the calibration images, whose shares the dial sets, and the outliers."""
    known, outliers = shown.calibration(scorer).scores, shown.against(scorer, against)
    drawn = bins(known.numpy(), None if outliers is None else outliers.numpy())
    return Reference(
        low=float(drawn.edges[0]),
        high=float(drawn.edges[-1]),
        edges=drawn.edges.tolist(),
        id=drawn.id.tolist(),
        ood=None if drawn.ood is None else drawn.ood.tolist(),
        idName=f"known images (ID), {len(known):,} for calibration",
        oodName="" if outliers is None else outliers_in_words(shown, scorer, against or "", outliers),
    )


def outliers_in_words(shown: Exhibit, scorer: str, against: str, outliers: Float64[Tensor, " m"]) -> str:
    """What the dashed curve is, and how well the score tells it from held-out known images."""
    apart = theme.percent(auroc(shown.held_out(scorer), outliers))
    return f"outliers (OOD), {len(outliers):,}: {set_title(against)}. AUROC ↑ {apart}"


def words(shown: Exhibit, scorer: str, against: str | None) -> Words:
    """Sentences around the board."""
    title = shown.title(scorer)
    return Words(
        dial="Drag this dial or the line below. Flagged is whatever lies right of the line.",
        alarms="of known test images flagged: false alarms",
        caught="of these outliers flagged: caught" if against else "no reference outliers here",
        axis=f"{title} score: higher = more out-of-distribution. Each curve is scaled to its own peak. The pictures "
        "hang below at their scores, round where kept, square where flagged.",
        alt=f"Histograms of the {title} score for known images and outliers, with the threshold between them.",
    )


render()
