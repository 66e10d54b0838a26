"""The server's jobs, and who is asking: one queue for all sessions, looked after by a thread."""

import re
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import streamlit as st

from app.services.memory import Memory
from oodcore.errors import OODError
from oodcore.jobs.backend import LocalProcesses
from oodcore.jobs.folder import EVENTS
from oodcore.jobs.queue import Job, Queue, jobs_folder

__all__ = ["Stamp", "adopt", "asked", "candidate", "events", "find", "latest", "owner", "queue"]

T = TypeVar("T")
Stamp = tuple[int, int]
"""Size of a file and when it was written: as long as they stay, so does what was read from it."""

OWNER, ASKED = "owner token", "owner token was asked for"
TOKEN = re.compile(r"[A-Za-z0-9_-]{32,64}")
EVERY = 1.0  # seconds between two looks at the queue


@st.cache_resource(show_spinner=False)
def queue() -> Queue:
    """One per server. Another server on the same folder takes turns with it."""
    backend = LocalProcesses(spare=True)
    made = Queue(jobs_folder(), backend)
    threading.Thread(target=_supervise, args=(made, backend), daemon=True, name="jobs").start()
    return made


def owner() -> str:
    """Token of this browser: what it started is its own. Never shown, never in a link."""
    st.session_state[ASKED] = True
    return candidate()


def candidate() -> str:
    """The same, for the component that gives it to the browser."""
    return str(st.session_state.setdefault(OWNER, secrets.token_urlsafe(32)))


def asked() -> bool:
    """Whether something on the page depends on who is asking."""
    return bool(st.session_state.get(ASKED))


def adopt(token: object) -> bool:
    """Take over the token that the browser has kept; whether that changed anything. Nonsense is ignored."""
    if not isinstance(token, str) or not TOKEN.fullmatch(token) or token == st.session_state.get(OWNER):
        return False
    st.session_state[OWNER] = token
    return True


def find(id_: str | None) -> Job | str | None:
    """The job that a link names; a sentence where it is not there."""
    if not id_:
        return None
    try:
        return queue().job(id_)
    except OODError as problem:
        return str(problem)


def events(job: Job) -> list[dict[str, Any]]:
    """Everything it told so far, shared by all who watch it: not to be changed. Parsed once as often as it grows."""
    return latest(_TOLD, job, job.events)


def latest(memory: Memory[Path, tuple[Stamp, T]], job: Job, make: Callable[[], T]) -> T:
    """What is made of a job's events; made anew only where they are others than at the last look.

    Args:
        memory: Folder of the job → what was made, and of what.
        job: Anybody's.
        make: Reads its events.
    """
    try:
        file = (job.folder / EVENTS).stat()
        now = file.st_size, file.st_mtime_ns
    except OSError:
        now = 0, 0
    known = memory.get(job.folder)
    return known[1] if known is not None and known[0] == now else memory.put(job.folder, (now, make()))[1]


_TOLD: Memory[Path, tuple[Stamp, list[dict[str, Any]]]] = Memory(16)


def _supervise(made: Queue, backend: LocalProcesses) -> None:
    while True:
        with suppress(OODError, OSError):
            made.tick()
            backend.tend()
        time.sleep(EVERY)
