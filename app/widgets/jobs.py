"""How a job stands, wherever it is shown: place in the queue, progress, time left, cancel, and what went wrong."""

from datetime import timedelta
from typing import Any

import streamlit as st

from app.components.keeper import keeper
from app.services import jobs
from app.widgets.page import plain, sorry
from oodcore.errors import OODError
from oodcore.jobs.queue import Job, Standing

__all__ = ["EVERY", "duration", "known_again", "progress"]

EVERY = 1.5  # seconds between two looks, while something may change


@st.fragment
def known_again() -> None:
    """Give this browser's own runs back to it. Drawn once, on every page, by the page of pages."""
    if jobs.adopt(keeper(jobs.candidate())) and jobs.asked():
        st.rerun()


def progress(job: Job, *, every: float = EVERY) -> Standing:
    """Draw it, and draw it anew while something may change; the page runs again when that is over.

    Args:
        job: Anybody's.
        every: Seconds.

    Returns:
        How it stands now.
    """
    standing = job.standing
    st.fragment(_progress, run_every=every if standing.active else None)(job, standing.active)
    return standing


def _progress(job: Job, was_active: bool) -> None:
    standing = job.standing
    if was_active and not standing.active:
        st.rerun()
    mine = job.owned_by(jobs.owner())
    with st.container(border=True, key=f"job-{job.id}"):
        if standing.state == "finished":
            st.progress(1.0, _words(job, standing))
            return
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.progress(standing.share, _words(job, standing))
        with right:
            _buttons(job, standing, mine)
        if standing.state in ("failed", "killed") or (standing.state == "cancelled" and standing.message):
            (st.error if standing.state == "failed" else st.warning)(plain(standing.message), icon=":material/info:")
        if not mine:
            st.caption("Started by somebody else: you can watch it, but not stop or change it.")


def _words(job: Job, standing: Standing) -> str:
    title = f"**{plain(job.title)}**"
    if standing.state == "queued":
        if standing.ahead == 0:
            return f"{title} – next in line; it starts when the run before it ends."
        return f"{title} – waiting, {standing.ahead} {'run' if standing.ahead == 1 else 'runs'} ahead."
    if standing.stopping:
        return f"{title} – stopping after the present step."
    counted = f"step {standing.step:,} of {standing.steps:,}" if standing.steps else ""
    if standing.state == "running":
        left = seconds_left(jobs.events(job))
        eta = f"{duration(left)} left" if left is not None and standing.step < standing.steps else ""
        return f"{title} – " + " · ".join(filter(None, [counted, eta, plain(standing.message)]))
    ends = {"finished": "finished", "cancelled": "stopped", "failed": "failed", "killed": "was killed"}
    return f"{title} – " + " · ".join(filter(None, [ends[standing.state], counted]))


def _buttons(job: Job, standing: Standing, mine: bool) -> None:
    if standing.active:
        _button("Cancel", ":material/stop_circle:", f"cancel-{job.id}", mine and not standing.stopping, job, "cancel")
    elif standing.state != "finished":
        _button("Go on", ":material/play_arrow:", f"resume-{job.id}", mine, job, "resume")


def _button(label: str, icon: str, key: str, allowed: bool, job: Job, act: str) -> None:
    if st.button(label, icon=icon, key=key, disabled=not allowed, width="stretch"):
        try:
            getattr(jobs.queue(), act)(job.id, owner=jobs.owner())
        except OODError as problem:
            sorry(problem)
            return
        st.rerun()


def seconds_left(events: list[dict[str, Any]]) -> float | None:
    """What the last event says that knows."""
    return next((event["seconds_left"] for event in reversed(events) if "seconds_left" in event), None)


def duration(seconds: float) -> str:
    """`45 s`, `3 min`, `2 h 5 min`."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(timedelta(seconds=seconds) / timedelta(minutes=1))
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
