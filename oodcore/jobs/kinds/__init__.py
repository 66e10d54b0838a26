"""Kinds of jobs, one per file: `work(order, place, root=)` yields events; its result is `place.path / "result"`.

A kind is stopped between two events. Inside a long pass it reports with `telling(place)`, which also stops it. It may
be stopped or killed anywhere, and is called again with the same order in the same folder: what it finds there it takes
up. Events of the kind "progress" move the bar and are not kept; their values may hold `steps` and `message`.

A module may also say `steps(order)`, the number of steps that its order takes: it is then refused where that is too
many. Nothing heavy is imported at the head of a kind, for pages ask it.
"""

import pkgutil
import re
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from typing_extensions import Protocol, runtime_checkable

from oodcore.errors import UnknownNameError
from oodcore.jobs.folder import RunFolder, Status
from oodcore.jobs.run import Event
from oodcore.registry import did_you_mean

__all__ = ["Kind", "StoppedError", "kind", "kinds", "telling"]

OFTEN = 0.3  # seconds between two looks at the folder


@runtime_checkable
class Kind(Protocol):
    """A module of this folder, as the worker sees it."""

    def work(self, order: Mapping[str, Any], place: RunFolder, *, root: Path | None) -> Iterator[Event]:
        """What is done; see above."""
        ...


class StoppedError(Exception):
    """Somebody asked a job to stop in the middle of something. No `OODError`: nothing is wrong."""


def kinds() -> list[str]:
    """Names, sorted; nothing is imported for it."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def kind(name: str) -> Any:
    """The module, which is a `Kind`.

    Raises:
        UnknownNameError: there is no such kind.
    """
    if not re.fullmatch(r"[a-z_]+", name) or name not in kinds():
        raise UnknownNameError(did_you_mean("kind of job", name, kinds()))
    return import_module(f"{__name__}.{name}")


def telling(place: RunFolder) -> Callable[[str, int, int], None]:
    """Progress of a pass, for `oodcore.evaluate.Work`: told in the status; a wish to stop acts here, too.

    Raises:
        StoppedError: when the returned function is called after somebody asked the job to stop.
    """
    last = [-OFTEN]

    def tell(stage: str, done: int, total: int) -> None:
        if time.monotonic() - last[0] < OFTEN:
            return
        last[0] = time.monotonic()
        if place.cancelling:
            raise StoppedError
        before = place.status or Status("running")
        place.tell(Status("running", before.step, before.steps, f"{stage}: {done:,} of {total:,}."))

    return tell
