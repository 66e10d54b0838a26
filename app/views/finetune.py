"""Fine-tune: from any checkpoint against outliers, in a process of its own; watched, then compared with its start."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state
from app.services import jobs, resources, tuning
from app.services.resources import Exhibit
from app.widgets.elsewhere import leave
from app.widgets.finetune import Wanted, form, picked_loss
from app.widgets.page import header, no_checkpoint, plain
from app.widgets.pick import picked_checkpoint
from app.widgets.tuned import called, empty, kept, live, overlay, result
from oodcore.errors import OODError
from oodcore.jobs.queue import Job

TITLE = "Teach a network to doubt"
LEAD = (
    "A trained network meets **auxiliary outliers**: pictures that show none of its classes. A second loss beside the "
    "usual one changes what it makes of them. Watch both fight it out, then see what the network decides differently."
)
PROBLEM = "finetune problem"


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
            st.error(plain(str(problem)), icon=":material/error:")
    found = tuning.runs()
    with right, st.container(key="finetune-run-place"):
        job = chosen_run(found)
        if job is None:
            empty()
        else:
            live(job)
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
    """Of a finished run, beside the checkpoint that it began with."""
    wanted = tuning.experiment(job)
    try:
        result(job, started_from(None if wanted is None else wanted.model.checkpoint))
        kept(job)
    except OODError as problem:
        st.error(plain(str(problem)), icon=":material/error:")


def started_from(name: str | None) -> Exhibit:
    """The checkpoint that a run began with.

    Raises:
        OODError: it is not here any more.
    """
    folder = resources.folders().get(name or "")
    if folder is None:
        raise OODError(f"'{name}', with which this run began, is no longer on this server; it cannot be compared.")
    return resources.exhibit(folder)


render()
