"""Who computes next: orders in folders, started as places become free, by whichever server looks first.

Everything is on disk. A server that starts anew, or a second one on the same folder, finds what waits, what runs and
what has ended; one file lock lets them take turns.
"""

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from oodcore.atomic import replacing
from oodcore.data.roots import cache_folder
from oodcore.errors import DataError, OODError
from oodcore.jobs import kinds
from oodcore.jobs.backend import Backend, LocalProcesses
from oodcore.jobs.folder import Status, writing
from oodcore.jobs.job import ORDER, Caps, Job, RefusedError, Standing, hash_of, key_of

__all__ = ["Job", "LimitError", "Limits", "Queue", "RefusedError", "Standing", "jobs_folder"]

PROCESS, TURN = "process.json", "turn.json"
PATIENCE = 30.0  # seconds that a job has to stop by itself when asked
SETTLING = 20.0  # seconds from a start to the first sign of the process
BUSY = 10.0  # seconds that somebody waits for another server's turn
NAME = re.compile(r"[a-z_]+-[0-9a-f]{10}")


class LimitError(OODError, RuntimeError):
    """Too much at once, or too long."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server allows.

    Args:
        running: Jobs that compute at once.
        waiting: Jobs that wait, of all owners together.
        owner: Jobs of one owner that run or wait.
        kept: Ended jobs; beyond that the oldest ones are removed.
        caps: What one job may take.
    """

    running: int = max(1, (os.cpu_count() or 2) // 2)
    waiting: int = 20
    owner: int = 3
    kept: int = 200
    caps: Caps = field(default_factory=Caps)


class Queue:
    """Jobs of one folder.

    Args:
        root: Made when the first job comes.
        backend: Where they compute; processes of this machine by default.
        limits: What is allowed.
    """

    def __init__(self, root: Path, backend: Backend | None = None, limits: Limits | None = None) -> None:
        self.root, self.limits = root, limits or Limits()
        self.backend: Backend = backend if backend is not None else LocalProcesses()
        self._read: dict[str, tuple[int, Job]] = {}

    def submit(self, kind: str, order: Mapping[str, Any], *, owner: str, title: str) -> Job:
        """Line up; started at once where a place is free.

        Args:
            kind: See `oodcore.jobs.kinds`.
            order: Plain values that JSON can hold.
            owner: Unguessable token of whoever asks; only its hash is kept.
            title: For people.

        Raises:
            LimitError: too many jobs, or too many steps.
            UnknownNameError: no such kind.
            DataError: the order cannot be written down.
            UnwritableError: the disk is full, or the folder may not be written.
        """
        module, caps = kinds.kind(kind), self.limits.caps
        key_of(kind, order)
        if (steps := getattr(module, "steps", None)) is not None and (wanted := steps(order)) > caps.steps:
            raise LimitError(f"This takes {wanted:,} steps; this server allows {caps.steps:,}. Choose fewer.")
        with self._turn():
            self._require_room(owner)
            self._forget_oldest()
            name = f"{kind}-{secrets.token_hex(5)}"
            job = Job(name, kind, title, dict(order), hash_of(owner), time.time(), caps, self.root / name, self._look)
            with writing(job.folder):
                job.folder.mkdir(parents=True)
            self._line_up(job, Status("queued"))
            job.write()  # last: from now on it is seen
        self.tick()
        return job

    def jobs(self) -> list[Job]:
        """Newest first. Orders that are damaged are left out; `job` says so of each."""
        found = []
        for folder in self.root.glob("*-*"):
            if NAME.fullmatch(folder.name):
                with suppress(DataError):
                    found.append(self._known(folder))
        return sorted(found, key=lambda job: job.created, reverse=True)

    def job(self, id_: str) -> Job:
        """One of them.

        Raises:
            DataError: there is none of this name, or its order is damaged.
        """
        if not NAME.fullmatch(id_):
            raise DataError("This is not the name of a run. Check the link.")
        return Job.read(self.root / id_, self._look)

    def finished(self, kind: str, order: Mapping[str, Any]) -> Job | None:
        """The newest job that has answered this question."""
        key = key_of(kind, order)
        return next(
            (job for job in self.jobs() if job.kind == kind and job.key == key and job.standing.state == "finished"),
            None,
        )

    def cancel(self, id_: str, *, owner: str) -> None:
        """Stop it after its present step; what it has is kept.

        Raises:
            RefusedError: it is somebody else's.
            DataError: see `job`.
        """
        job = self.job(id_)
        job.require(owner)
        with self._turn():
            standing = job.standing
            if standing.state == "queued":
                job.run.tell(Status("cancelled", standing.step, standing.steps, "Taken out of the queue."))
            elif standing.state == "running":
                job.run.cancel()

    def resume(self, id_: str, *, owner: str) -> None:
        """Line up again, to go on from the last state.

        Raises:
            RefusedError, LimitError, DataError: see `submit` and `job`.
        """
        job = self.job(id_)
        job.require(owner)
        with self._turn():
            standing = job.standing
            if standing.active or standing.state == "finished":
                return
            self._require_room(owner)
            job.run.go_on()
            (job.folder / PROCESS).unlink(missing_ok=True)
            self._line_up(job, Status("queued", standing.step, standing.steps))
        self.tick()

    def discard(self, id_: str, *, owner: str) -> None:
        """Remove it with all that it made.

        Raises:
            RefusedError: it is somebody else's.
            LimitError: it runs; cancel it first.
            DataError: see `job`.
        """
        job = self.job(id_)
        job.require(owner)
        with self._turn():
            if job.standing.state == "running":
                raise LimitError(f"'{job.title}' is still running. Cancel it first, then discard it.")
            self._remove(job)

    def tick(self) -> None:
        """Start what has a free place, and end what does not stop when asked. Another server's turn is left to it."""
        if not self.root.is_dir():
            return
        with suppress(Timeout, OODError), self._turn(wait=0):
            standings = [(job, self._status(job)) for job in self.jobs()]
            running = [job for job, status in standings if status.state == "running"]
            for job in running:
                self._end_overdue(job)
            waiting = sorted((job for job, status in standings if status.state == "queued"), key=self._since)
            for job in waiting[: max(self.limits.running - len(running), 0)]:
                self._start(job)

    def _known(self, folder: Path) -> Job:
        """An order never changes; it is read anew only where its file is another one."""
        try:
            written = (folder / ORDER).stat().st_mtime_ns
        except OSError:
            self._read.pop(folder.name, None)
            return Job.read(folder, self._look)
        if (known := self._read.get(folder.name)) is not None and known[0] == written:
            return known[1]
        self._read.pop(folder.name, None)
        job = Job.read(folder, self._look)
        self._read[folder.name] = written, job
        return job

    def _look(self, job: Job) -> Standing:
        status = self._status(job)
        ahead = self._ahead(job) if status.state == "queued" else 0
        stopping = status.state == "running" and job.run.cancelling
        return Standing(status.state, status.step, status.steps, status.message, ahead, stopping)

    def _status(self, job: Job) -> Status:
        """What the folder says; what says "running" is looked after."""
        try:
            status = job.run.status
            if status is not None and status.state == "running" and not self._alive(job):
                status = job.run.standing  # looks at the lock once more: it may have ended meanwhile
        except DataError as error:
            return Status("failed", message=str(error))
        return status or Status("failed", message="Its status is gone. Start it anew.")

    def _alive(self, job: Job) -> bool:
        if job.run.live:
            return True
        handle = _read(job.folder / PROCESS)
        settling = abs(time.time() - float(handle.get("at", 0.0))) < SETTLING
        return (settling and "pid" not in handle) or self.backend.alive(handle)

    def _ahead(self, job: Job) -> int:
        since = self._since(job)
        others = (other for other in self.jobs() if other.id != job.id and self._status(other).state == "queued")
        return sum(self._since(other) < since for other in others)

    def _since(self, job: Job) -> tuple[float, str]:
        return float(_read(job.folder / TURN).get("since", job.created)), job.id

    def _line_up(self, job: Job, status: Status) -> None:
        _write(job.folder / TURN, {"since": time.time()})
        job.run.tell(status)

    def _start(self, job: Job) -> None:
        """Said before it is done: whoever looks in between sees a start."""
        before = job.run.status or Status("queued")
        if job.run.live:  # an earlier server began it and died before it could say so
            return
        _write(job.folder / PROCESS, {"at": time.time()})
        job.run.tell(replace(before, state="running", message="Starting."))
        try:
            _write(job.folder / PROCESS, {"at": time.time(), **self.backend.start(job.folder)})
        except OSError as error:
            job.run.tell(replace(before, state="failed", message=f"It cannot be started: {error.strerror or error}."))

    def _end_overdue(self, job: Job) -> None:
        wish = job.folder / "cancel"
        with suppress(FileNotFoundError):
            if time.time() - wish.stat().st_mtime < PATIENCE:
                return
            self.backend.stop(_read(job.folder / PROCESS))
            before = job.run.status or Status("running")
            job.run.tell(replace(before, state="cancelled", message="It did not stop when asked, and was ended."))

    def _require_room(self, owner: str) -> None:
        active = [job for job in self.jobs() if self._status(job).state in ("queued", "running")]
        if sum(job.owned_by(owner) for job in active) >= self.limits.owner:
            raise LimitError(
                f"You have {self.limits.owner} runs that run or wait, as many as one person may have here. "
                "Wait for one to finish, or cancel one."
            )
        if len(active) >= self.limits.waiting + self.limits.running:
            raise LimitError(f"{len(active)} runs run or wait on this server already. Try again in a few minutes.")

    def _forget_oldest(self) -> None:
        ended = [job for job in self.jobs() if self._status(job).state not in ("queued", "running")]
        for job in ended[self.limits.kept :]:
            self._remove(job)

    def _remove(self, job: Job) -> None:
        with writing(job.folder):
            (job.folder / ORDER).unlink(missing_ok=True)  # first: from now on nobody sees it
            shutil.rmtree(job.folder, ignore_errors=True)

    @contextmanager
    def _turn(self, wait: float = BUSY) -> Iterator[None]:
        """One server, and one of its threads, at a time.

        Raises:
            Timeout: another one has it, and there was no waiting.
            LimitError: another one keeps it.
            UnwritableError: the folder cannot be made or written.
        """
        lock = FileLock(self.root / ".lock", thread_local=False)
        try:
            with writing(self.root):
                self.root.mkdir(parents=True, exist_ok=True)
                lock.acquire(timeout=wait)
        except Timeout:
            if wait == 0:
                raise
            raise LimitError("The queue is busy. Try again.") from None
        try:
            yield
        finally:
            lock.release()


def jobs_folder() -> Path:
    """`OOD_JOBS`, else `jobs` in the user's cache, beside data and checkpoints."""
    chosen = os.environ.get("OOD_JOBS")
    return Path(chosen).expanduser() if chosen else cache_folder() / "jobs"


def _read(path: Path) -> dict[str, Any]:
    """A small note; an absent or damaged one says nothing."""
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _write(path: Path, values: Mapping[str, Any]) -> None:
    with writing(path), replacing(path) as part:
        part.write_text(json.dumps(dict(values)) + "\n", "utf-8")
