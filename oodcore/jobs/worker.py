"""One job in a process of its own: `python -m oodcore.jobs.worker FOLDER`.

It holds the folder's lock while it works, tells events and status there, stops between events when asked, and writes a
sentence when something fails. With `--wait` it imports the libraries and waits to be told its folder, so that a job
begins at once.
"""

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from oodcore.errors import OODError
from oodcore.jobs.backend import LOG
from oodcore.jobs.folder import BusyError, RunFolder, State, Status
from oodcore.jobs.job import Caps, Job, Standing
from oodcore.jobs.kinds import StoppedError, kind
from oodcore.jobs.process import resident
from oodcore.jobs.run import Event

__all__ = ["carry_out", "main"]

NICE = 10
TOLD_EVERY = 0.3  # seconds between two statuses
LOOK = 0.5  # seconds between two looks of the watch
GRACE = 30.0  # seconds beyond the limit until a job that tells nothing is ended
STOPPED = "Stopped on request. It can go on from here."


class Late(Exception):  # noqa: N818
    """Its time or its steps are over."""


def main() -> int:
    """The command."""
    with suppress(OSError):
        os.nice(NICE)  # before anything is imported: pages come first
    where = sys.argv[1]
    if where == "--wait":
        where = _waited()
        if not where:
            return 0
    return carry_out(Path(where))


def carry_out(folder: Path, root: Path | None = None) -> int:
    """Everything until it ends, one way or the other.

    Args:
        folder: The job's.
        root: Folder of the image sets; see `oodcore.data.roots`.

    Returns:
        0 when it finished or was stopped, 1 when it failed, 3 when another process works on it.
    """
    place = RunFolder(folder)
    try:
        with place.held():
            return Work(place).done(root)
    except BusyError:
        return 3


class Work:
    """A job on its way.

    Args:
        place: Its folder, held.
    """

    def __init__(self, place: RunFolder) -> None:
        self.place = place
        before = place.status or Status("running")
        self.status = replace(before, state="running", message="")
        self.told = -TOLD_EVERY

    def done(self, root: Path | None) -> int:
        """See `carry_out`."""
        try:
            job = Job.read(self.place.path, lambda job: Standing("running"))
            watch = Watch(self.place, job.caps)
            self.place.tell(replace(self.status, message="Starting."))
            events = kind(job.kind).work(job.order, self.place, root=root)
            with watch, _closing(events):
                self._follow(events, job.caps, watch)
        except StoppedError:
            return self._end("cancelled", STOPPED, 0)
        except Late as late:
            return self._end("cancelled", str(late), 0)
        except MemoryError:
            return self._end("failed", "The memory of this machine is full. Choose smaller batches.", 1)
        except Exception as error:
            traceback.print_exc()
            return self._end("failed", _said(error), 1)
        return self._end("finished", "", 0)

    def _follow(self, events: Iterator[Event], caps: Caps, watch: "Watch") -> None:
        for event in events:
            self._hear(event)
            if self.place.cancelling:
                raise StoppedError
            if watch.late:
                raise Late(f"Stopped after {caps.seconds / 60:g} minutes, the limit here. It can go on from here.")
            if event.kind == "step" and event.step > caps.steps:
                raise Late(f"Stopped after {caps.steps:,} steps, the limit here.")

    def _hear(self, event: Event) -> None:
        """Into the events what has something to say; into the status where it is now, a few times a second."""
        if event.kind != "progress" and (event.values or event.kind != "step"):
            self.place.append({"kind": event.kind, "step": event.step, **event.values})
        known = self.place.status or self.status  # a kind tells of its long passes by itself
        steps = int(event.values.get("steps", known.steps))
        self.status = Status("running", event.step, steps, str(event.values.get("message", "")))
        if time.monotonic() - self.told >= TOLD_EVERY or steps != known.steps:
            self.told = time.monotonic()
            self.place.tell(self.status)

    def _end(self, state: State, message: str, code: int) -> int:
        with suppress(OODError):
            last = self.place.status or self.status
            step = max(last.step, self.status.step)
            self.place.tell(Status(state, last.steps if state == "finished" else step, last.steps, message))
        return code


class Watch:
    """Looks after time and memory beside the work; what takes too much memory is ended before the machine suffers.

    Args:
        place: Where it is said.
        caps: What is allowed.
    """

    def __init__(self, place: RunFolder, caps: Caps) -> None:
        self.place, self.caps = place, caps
        self.began, self.over = time.monotonic(), threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.thread.join()

    @property
    def late(self) -> bool:
        """Whether time is up."""
        return time.monotonic() - self.began > self.caps.seconds

    def _look(self) -> None:
        while not self.over.wait(LOOK):
            if (taken := resident()) > self.caps.memory:
                self._exit(
                    "failed",
                    f"It took {taken / 2**30:.1f} GiB of memory; {self.caps.memory / 2**30:.1f} are allowed here. "
                    "Choose smaller batches or fewer images.",
                )
            if time.monotonic() - self.began > self.caps.seconds + GRACE:
                self._exit("cancelled", f"Ended after {self.caps.seconds / 60:g} minutes, the limit here.")

    def _exit(self, state: State, message: str) -> None:
        for _ in range(5):  # the work may be writing the same file
            with suppress(OODError, OSError):
                before = self.place.status or Status("running")
                self.place.tell(replace(before, state=state, message=message))
                break
        os._exit(1)


@contextmanager
def _closing(events: Iterator[Event]) -> Iterator[None]:
    """A generator that is left early keeps its state now, not when it happens to be collected."""
    try:
        yield
    finally:
        if isinstance(events, Generator):
            events.close()


def _said(error: Exception) -> str:
    """A failure in a sentence."""
    if isinstance(error, OODError | OSError):
        return str(error)
    if type(error).__name__ == "OutOfMemoryError":
        return "The device's memory is full. Choose a smaller batch."
    return f"Something unexpected happened ({type(error).__name__}: {error}). Its log.txt says more."


def _waited() -> str:
    """Import what every job needs, then read the folder's name; empty when the server has gone."""
    import oodcore.jobs.complete
    import oodcore.train.devices  # noqa: F401

    _warm()
    line = sys.stdin.buffer.readline()
    if not line:
        return ""
    folder = Path(json.loads(line))
    log = os.open(folder / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    return str(folder)


def _warm() -> None:
    """The slowest import of all, which training makes only when it starts."""
    from oodcore.train.devices import fabric_for
    from oodcore.train.recipe import Recipe

    fabric_for(Recipe(), accelerator="cpu")


if __name__ == "__main__":
    sys.exit(main())
