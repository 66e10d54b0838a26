"""Fine-tune: from any checkpoint against outliers, in a process of its own; watched, then compared with its start."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state
from app.services import jobs, resources, tuning
from app.widgets import settings
from app.widgets.elsewhere import leave
from app.widgets.finetune import Wanted, form, picked_loss
from app.widgets.page import header, no_checkpoint, plain, sorry
from app.widgets.pick import picked_checkpoint
from app.widgets.tuned import PROBLEM, called, empty, flipped, given_up, kept, live, overlay, result
from oodcore.errors import OODError
from oodcore.jobs.queue import Job

TITLE = "Teach a network to doubt"
LEAD = (
    "A trained network meets **auxiliary outliers**: pictures that show none of its classes. A second loss beside the "
    "usual one changes what it makes of them. Watch both fight it out, then see what the network decides differently."
)
GIVEN_UP = ("cancelled", "failed", "killed")


def render() -> None:
    """Form on the left, run on the right; what came of it below."""
    leave()
    header(TITLE, LEAD)
    folders = resources.folders()
    if not folders:
        no_checkpoint()
        return
    if problem := st.session_state.pop(PROBLEM, None):
        st.error(plain(problem), icon=":material/error:")
    first, second = st.columns([4, 8], gap="medium")
    loss = picked_loss(second)
    with st.container(key="finetune-work"):
        left, right = st.columns([5, 7], gap="large")
    with left:
        try:
            form(picked_checkpoint(first, folders), loss, start_button)
        except OODError as problem:
            sorry(settings.worded(str(problem), loss))
    found = tuning.runs()
    with right, st.container(key="finetune-run-place"):
        job = chosen_run(found)
        if job is None:
            empty()
        else:
            live(job)
            if job.standing.state in GIVEN_UP:
                given_up(job)
    if job is not None and job.standing.state == "finished":
        outcome(job)
    overlay(found)


def start_button(place: DeltaGenerator, wanted: Wanted) -> None:
    """The one thing to press."""
    label = f"Start {wanted.experiment.train.steps:,} steps"
    if place.button(
        label, type="primary", icon=":material/play_arrow:", key="start", width="stretch", shortcut="Ctrl+Enter"
    ):
        state.link(state.RUN, tuning.start(*wanted).id)  # the choice of runs is drawn later


def chosen_run(found: list[Job]) -> Job | None:
    """The link's, or the newest of one's own."""
    by_id = {job.id: job for job in found}
    if stray := state.stray(state.RUN, list(by_id)):
        sentence = jobs.find(stray)
        st.warning(
            plain(sentence) if isinstance(sentence, str) else "This is no fine-tuning.", icon=":material/link_off:"
        )
    if not found:
        return None
    first = state.RUN not in st.session_state  # none may be chosen later
    mine = next((job.id for job in found if job.owned_by(jobs.owner())), None) if first else None
    state.choose(state.RUN, list(by_id), mine)
    picked = st.selectbox(
        "Run",
        list(by_id),
        index=None,
        format_func=lambda id_: called(by_id[id_]),
        key=state.RUN,
        placeholder="Look at a run",
        help="Runs of this browser come first. Everyone may watch; only who started a run can stop or keep it.",
    )
    state.chosen(state.RUN, picked, None)
    return by_id.get(picked or "")


def outcome(job: Job) -> None:
    """Of a finished run, beside the checkpoint that it began with; each part is there where another cannot be."""
    for part in (result, flipped, kept):
        try:
            part(job)
        except OODError as problem:
            sorry(problem)


render()
