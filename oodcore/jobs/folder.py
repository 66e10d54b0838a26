"""What a run leaves on disk, readable while it goes on and after a kill.

experiment.json   what was asked for
events.jsonl      one line per event, as it happens
status.json       running, finished, cancelled or failed, with step and sentence
state.pt          where to go on: tensors and plain numbers, no code
checkpoint/       the result
cancel            written by whoever wants the run to stop
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from filelock import FileLock, Timeout

from oodcore.atomic import replacing
from oodcore.config import Experiment
from oodcore.errors import DataError, OODError

__all__ = ["BusyError", "RunFolder", "Status"]


class BusyError(OODError, RuntimeError):
    """Another process works in this folder."""


@dataclass(frozen=True, slots=True)
class Status:
    """How a run stands.

    Args:
        state: A run that says "running" while nobody holds its lock was killed; it can be resumed.
        step: Updates taken.
        steps: Updates of the whole run.
        message: A sentence for people, where there is something to say.
    """

    state: Literal["running", "finished", "cancelled", "failed"]
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
        """Folder of the result."""
        return self.path / "checkpoint"

    @property
    def finished(self) -> bool:
        """Whether the result is there."""
        status = self.status
        return status is not None and status.state == "finished"

    @contextmanager
    def held(self) -> Iterator[None]:
        """One process at a time; the system lets go of a killed one's hold.

        Raises:
            BusyError: another process works here.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.path / ".lock", timeout=0):
                yield
        except Timeout:
            raise BusyError(
                f"Another run is going on in '{self.path}'. Wait for it, cancel it, or choose another folder."
            ) from None

    @property
    def status(self) -> Status | None:
        """How the run stands; None before the first start.

        Raises:
            DataError: the file is damaged.
        """
        values = self._json("status.json")
        try:
            return None if values is None else Status(**values)
        except TypeError:
            raise DataError(f"'{self.path / 'status.json'}' is no status of a run.") from None

    def tell(self, status: Status) -> None:
        """Write the status."""
        self._write("status.json", asdict(status))

    def claim(self, experiment: Experiment) -> None:
        """Note what is run here.

        Raises:
            DataError: another experiment was run here.
        """
        before, now = self._json("experiment.json"), experiment.to_json()
        if before is not None and before != now:
            raise DataError(
                f"'{self.path}' holds another run ('{before.get('title', '')}'). Choose another folder, or remove it."
            )
        self._write("experiment.json", now)

    @property
    def experiment(self) -> Experiment | None:
        """What is run here, if anything."""
        values = self._json("experiment.json")
        return None if values is None else Experiment.from_json(values)

    def append(self, event: Mapping[str, Any]) -> None:
        """One event, at once on disk."""
        with (self.path / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(event, allow_nan=False) + "\n")

    def events(self) -> list[dict[str, Any]]:
        """All events so far; a line that a kill cut short is left out, and of repeated steps the last counts."""
        path = self.path / "events.jsonl"
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        found: dict[tuple[str, int], dict[str, Any]] = {}
        for line in lines:
            try:
                event = json.loads(line)
                found[event["kind"], event["step"]] = event
            except (ValueError, KeyError, TypeError):
                continue
        return sorted(found.values(), key=lambda event: event["step"])

    def keep(self, state: Mapping[str, Any]) -> None:
        """Where to go on; the earlier state stands until this one is whole."""
        with replacing(self.path / "state.pt") as part:
            torch.save(dict(state), part)

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
        except (OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
            raise DataError(f"'{path}' is damaged ({type(error).__name__}). Remove it to start again.") from None
        return state

    def cancel(self) -> None:
        """Ask the run to stop after its present step."""
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
            raise DataError(f"'{path}' is damaged. Remove it, or choose another folder.") from None
        return values if isinstance(values, dict) else None

    def _write(self, name: str, values: Mapping[str, Any]) -> None:
        with replacing(self.path / name) as part:
            part.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")
