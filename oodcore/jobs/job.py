"""One job: what was asked for, by whom, and how it stands.

In its folder, besides what a `RunFolder` has:

job.json       the order; never changed
process.json   where it computes, as its backend says
turn.json      since when it waits
result/        what it made
kept.json      under which name its owner kept the result
log.txt        what its libraries print
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oodcore.atomic import replacing
from oodcore.errors import DataError, OODError
from oodcore.jobs.folder import RunFolder, State, writing

__all__ = ["ORDER", "Caps", "Job", "RefusedError", "Standing", "hash_of", "key_of"]

ORDER, KEPT = "job.json", "kept.json"
ACTIVE = ("queued", "running")


class RefusedError(OODError, PermissionError):
    """The job is somebody else's."""


@dataclass(frozen=True, slots=True)
class Caps:
    """What one job may take, from each start to its end.

    Args:
        steps: Of training.
        seconds: By the clock.
        memory: Bytes.
    """

    steps: int = 20_000
    seconds: float = 3600.0
    memory: int = 6 * 2**30


@dataclass(frozen=True, slots=True)
class Standing:
    """How a job stands.

    Args:
        state: As a run's, or "queued".
        step: Taken.
        steps: Of the whole; 0 while nobody knows.
        message: A sentence for people, where there is something to say.
        ahead: Jobs that start before it, while it is queued.
        stopping: Somebody asked it to stop, and it has not yet.
    """

    state: State
    step: int = 0
    steps: int = 0
    message: str = ""
    ahead: int = 0
    stopping: bool = False

    @property
    def active(self) -> bool:
        """Whether something may still change by itself."""
        return self.state in ACTIVE

    @property
    def share(self) -> float:
        """Of its steps, 0..1."""
        return min(self.step / self.steps, 1.0) if self.steps else 0.0


@dataclass(frozen=True, slots=True)
class Job:
    """An order, and the folder in which it is carried out.

    Args:
        id: Letters, digits and hyphens.
        kind: See `oodcore.jobs.kinds`.
        title: For people.
        order: Plain values.
        owner_hash: sha256 of the token of whoever ordered it.
        created: Seconds since 1970.
        caps: What it may take.
        folder: Of this job alone.
        look: How it stands now.
    """

    id: str
    kind: str
    title: str
    order: Mapping[str, Any]
    owner_hash: str
    created: float
    caps: Caps
    folder: Path
    look: Callable[["Job"], Standing] = field(repr=False, compare=False)

    @property
    def run(self) -> RunFolder:
        """Status, events and lock."""
        return RunFolder(self.folder)

    @property
    def standing(self) -> Standing:
        """How it stands now."""
        return self.look(self)

    @property
    def result(self) -> Path:
        """Folder of what it made; whole, or absent."""
        return self.folder / "result"

    @property
    def key(self) -> str:
        """Stands for the question: the same for equal orders of a kind."""
        return key_of(self.kind, self.order)

    def events(self) -> list[dict[str, Any]]:
        """Everything it told so far, by step; see `RunFolder.events`."""
        return self.run.events()

    @property
    def kept(self) -> str:
        """Under which name its owner kept the result; "" where nobody did."""
        try:
            values = json.loads((self.folder / KEPT).read_text("utf-8"))
        except (OSError, ValueError):
            return ""
        return str(values.get("name", "")) if isinstance(values, dict) else ""

    def note_kept(self, name: str) -> None:
        """So that it is known after a refresh, too."""
        with writing(self.folder / KEPT), replacing(self.folder / KEPT) as part:
            part.write_text(json.dumps({"name": name}) + "\n", "utf-8")

    def owned_by(self, owner: str) -> bool:
        """Whether this token is the one it was ordered with."""
        return hmac.compare_digest(self.owner_hash, hash_of(owner))

    def require(self, owner: str) -> None:
        """Only its owner may change what becomes of it.

        Raises:
            RefusedError: this is another one.
        """
        if not self.owned_by(owner):
            raise RefusedError(f"'{self.title}' was started by somebody else. You can watch it, but not change it.")

    def write(self) -> None:
        """The order, in the new folder."""
        values = {
            "kind": self.kind,
            "title": self.title,
            "order": dict(self.order),
            "owner": self.owner_hash,
            "created": self.created,
            "caps": {"steps": self.caps.steps, "seconds": self.caps.seconds, "memory": self.caps.memory},
        }
        with writing(self.folder / ORDER), replacing(self.folder / ORDER) as part:
            part.write_text(json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")

    @classmethod
    def read(cls, folder: Path, look: Callable[["Job"], Standing]) -> "Job":
        """From its folder.

        Raises:
            DataError: there is none, or its order is damaged.
        """
        try:
            values = json.loads((folder / ORDER).read_text("utf-8"))
            kind, title, order, owner = (values[name] for name in ("kind", "title", "order", "owner"))
            if not (isinstance(order, dict) and all(isinstance(text, str) for text in (kind, title, owner))):
                raise TypeError  # noqa: TRY301  the sentence is one for all
            return cls(
                folder.name, kind, title, order, owner, float(values["created"]), Caps(**values["caps"]), folder, look
            )
        except OSError:
            raise DataError(f"There is no run '{folder.name}' here any more. It may have been discarded.") from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise DataError(
                f"The order of run '{folder.name}' is damaged, so it cannot go on. Start it anew."
            ) from None


def hash_of(owner: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(owner.encode()).hexdigest()


def key_of(kind: str, order: Mapping[str, Any]) -> str:
    """A hash of what is asked.

    Raises:
        DataError: the order holds something that JSON does not.
    """
    try:
        text = json.dumps([kind, order], sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(f"This order cannot be written down: {error}.") from None
    return hashlib.sha256(text.encode()).hexdigest()
