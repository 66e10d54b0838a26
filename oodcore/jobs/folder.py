"""What a run leaves on disk, readable while it goes on and after a kill.

experiment.json   what was asked for
prepared.json     what was measured before the first step: margins, prior, which images
events.jsonl      one line per event, as it happens
status.json       queued, running, finished, cancelled or failed, with step and sentence
state.pt          where to go on: tensors and plain numbers, no code; removed when the result is there
checkpoint/       the result
cancel            written by whoever wants the run to stop
.lock             held by the process that works here; the system lets go of a killed one's hold
"""

import io
import json
import os
import pickle
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

import torch
from filelock import FileLock, Timeout

from oodcore.atomic import replacing
from oodcore.config import Experiment, flattened
from oodcore.errors import DataError, OODError
from oodcore.jobs.grid import substance

__all__ = ["EVENTS", "BusyError", "RunFolder", "State", "Status", "UnwritableError", "writing"]

State = Literal["queued", "running", "finished", "cancelled", "failed", "killed"]
EVENTS = "events.jsonl"
WAIT = 1.0  # seconds; who only looks whether a run is live holds the lock for an instant


class BusyError(OODError, RuntimeError):
    """Another process works in this folder."""


class UnwritableError(OODError, OSError):
    """The disk is full, or the folder may not be written."""


@dataclass(frozen=True, slots=True)
class Status:
    """How a run stands.

    Args:
        state: "killed" is never on disk: such a run says "running" there while nobody holds its lock.
        step: Updates taken.
        steps: Updates of the whole run.
        message: A sentence for people, where there is something to say.
    """

    state: State
    step: int = 0
    steps: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run's folder.

    Args:
        path: Made when the run starts.
    """

    path: Path

    @property
    def checkpoint(self) -> Path:
        """Folder of the result; whole, or absent."""
        return self.path / "checkpoint"

    @property
    def finished(self) -> bool:
        """Whether the result is there."""
        status = self.status
        return status is not None and status.state == "finished"

    @contextmanager
    def held(self) -> Iterator[None]:
        """One process at a time.

        Raises:
            BusyError: another process works here.
            UnwritableError: the folder cannot be made or written.
        """
        lock = FileLock(self.path / ".lock", thread_local=False)  # a generator may be closed by another thread
        try:
            with writing(self.path):
                self.path.mkdir(parents=True, exist_ok=True)
                lock.acquire(timeout=WAIT)
        except Timeout:
            raise BusyError(
                f"Another run is going on in '{self.path}'. Wait for it, cancel it, or choose another folder."
            ) from None
        try:
            yield
        finally:
            lock.release()

    @property
    def live(self) -> bool:
        """Whether a process works here now. Where one may not look, one is believed to."""
        if not (self.path / ".lock").exists():
            return False
        try:
            with FileLock(self.path / ".lock", timeout=0):
                return False
        except OSError:  # filelock's own Timeout is one
            return True

    @property
    def status(self) -> Status | None:
        """What the run last said of itself; None before the first start. Readers want `standing`.

        Raises:
            DataError: the file is damaged.
        """
        values = self._json("status.json")
        try:
            return None if values is None else Status(**values)
        except TypeError:
            raise DataError(f"'{self.path / 'status.json'}' is no status of a run.") from None

    @property
    def standing(self) -> Status | None:
        """How the run stands: its status, or "killed" where it says "running" and nobody works on it.

        Raises:
            DataError: the file is damaged.
        """
        status = self.status
        if status is None or status.state != "running" or self.live:
            return status
        status = self.status  # it may have ended between the two looks
        if status is None or status.state != "running":
            return status
        return replace(status, state="killed", message="It was killed. Start it again: it goes on from its last state.")

    def tell(self, status: Status) -> None:
        """Write the status."""
        self._write("status.json", asdict(status))

    def claim(self, experiment: Experiment) -> None:
        """Note what is run here, and remove what a killed process left half-written. For the holder alone.

        What was refused before its first step has made nothing, so another experiment may take its place.

        Raises:
            DataError: another experiment was run here.
            UnwritableError: see `writing`.
        """
        before, now = self._json("experiment.json"), experiment.to_json()
        if before is None:
            self._write("experiment.json", now)
        elif not _same(before, experiment):
            self._require_untouched(before, now)
            for name in ("prepared.json", "status.json", EVENTS):
                (self.path / name).unlink(missing_ok=True)
            self._write("experiment.json", now)
        for name in ("experiment.json", "prepared.json", "status.json", "state.pt", "checkpoint"):
            for part in self.path.glob(f".{name}.*"):
                shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)

    def _require_untouched(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        status = self.status
        ended = status is not None and status.state in ("failed", "cancelled")
        if not ended or (self.path / "state.pt").exists() or self.checkpoint.exists():
            raise DataError(
                f"'{self.path}' holds another run ('{before.get('title', '')}'{_difference(before, now)}). "
                "Choose another folder, or remove it."
            )

    @property
    def experiment(self) -> Experiment | None:
        """What is run here, if anything.

        Raises:
            DataError, UnknownNameError, ScoreError: damaged, or of another version; see `Experiment.from_json`.
        """
        values = self._json("experiment.json")
        return None if values is None else Experiment.from_json(values)

    @property
    def prepared(self) -> dict[str, Any] | None:
        """What was measured before the first step.

        Raises:
            DataError: the file is damaged.
        """
        return self._json("prepared.json")

    def note_prepared(self, values: Mapping[str, Any]) -> None:
        """Keep what was measured, for a resumed run must not measure the network that it has changed."""
        self._write("prepared.json", values)

    def append(self, event: Mapping[str, Any]) -> None:
        """One event, at once on disk; after a line that was cut short, on a line of its own.

        Raises:
            UnwritableError: see `writing`.
        """
        path, line = self.path / EVENTS, json.dumps(event, allow_nan=False) + "\n"
        with writing(path), path.open("a+b") as file:
            file.write((line if _ends_a_line(file) else f"\n{line}").encode())

    def events(self) -> list[dict[str, Any]]:
        """All events so far, by step.

        A line that a kill cut short is left out. Of one kind and step the last counts. What a process did beyond the
        state from which a later one went on is forgotten: that one does it again.
        """
        path = self.path / EVENTS
        lines = path.read_text("utf-8", errors="replace").splitlines() if path.is_file() else []
        found: dict[tuple[str, int], dict[str, Any]] = {}
        for line in lines:
            try:
                event = json.loads(line)
                key = (str(event["kind"]), int(event["step"]))
            except (ValueError, KeyError, TypeError):
                continue
            if event["kind"] == "resumed":
                found = {(kind, step): old for (kind, step), old in found.items() if step <= key[1]}
            found.pop(key, None)
            found[key] = event
        return sorted(found.values(), key=lambda event: int(event["step"]))

    def keep(self, state: Mapping[str, Any]) -> None:
        """Where to go on; the earlier state stands until this one is whole.

        Raises:
            UnwritableError: see `writing`.
        """
        whole = io.BytesIO()  # of a full disk, PyTorch's own writer makes an error that nobody understands
        torch.save(dict(state), whole)
        with writing(self.path / "state.pt"), replacing(self.path / "state.pt") as part:
            part.write_bytes(whole.getbuffer())

    def kept(self) -> dict[str, Any] | None:
        """The last state; None where there is none.

        Raises:
            DataError: it is damaged.
        """
        path = self.path / "state.pt"
        if not path.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
            raise DataError(f"'{path}' is damaged ({type(error).__name__}). Remove it to start again.") from None
        return state

    def drop_state(self) -> None:
        """The result is there: nothing is left to go on with."""
        (self.path / "state.pt").unlink(missing_ok=True)

    def cancel(self) -> None:
        """Ask the run to stop after its present step.

        Raises:
            DataError: there is no such folder.
            UnwritableError: see `writing`.
        """
        if not self.path.is_dir():
            raise DataError(f"There is no run in '{self.path}'. Check the spelling.")
        with writing(self.path / "cancel"):
            (self.path / "cancel").touch()

    @property
    def cancelling(self) -> bool:
        """Whether somebody asked it to stop."""
        return os.path.lexists(self.path / "cancel")

    def go_on(self) -> None:
        """Forget an earlier wish to stop."""
        (self.path / "cancel").unlink(missing_ok=True)

    def _json(self, name: str) -> dict[str, Any] | None:
        path = self.path / name
        try:
            values = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise DataError(f"'{path}' is damaged. Remove it, or choose another folder.")
        return values

    def _write(self, name: str, values: Mapping[str, Any]) -> None:
        with writing(self.path / name), replacing(self.path / name) as part:
            part.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """The system's refusals in a sentence.

    Raises:
        UnwritableError: a full disk, missing rights, a folder that is gone.
    """
    try:
        yield
    except (Timeout, UnwritableError):
        raise
    except OSError as error:
        raise UnwritableError(
            f"'{path}' cannot be written: {error.strerror or error}. Mend that and start the run again: it goes on "
            "from its last state."
        ) from error


def _ends_a_line(file: BinaryIO) -> bool:
    """Whether what is written next begins a line; leaves the file at its end, as appending does anyway."""
    if file.tell() == 0:
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _same(values: Mapping[str, Any], experiment: Experiment) -> bool:
    """Whether a file asks for this experiment, in whatever words; settings that came later are at their defaults."""
    try:
        return substance(Experiment.from_json(values)) == substance(experiment)
    except OODError:
        return False


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first setting that differs, as `, train.lr 0.1 instead of 0.01`."""
    there, here = flattened(before), flattened(now)
    for name in {**here, **there}:
        if there.get(name) != here.get(name):
            return f", {name} {there.get(name)!r} instead of {here.get(name)!r}"
    return ""
