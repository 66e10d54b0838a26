"""Several processes of one run: the first one leads, the others wait for its word before every step."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any

from oodcore.train.loop import DivergedError, Step, Training

__all__ = ["Party", "follow"]


class Party:
    """The first process's side. Whatever ends its work lets the others go; alone, it does nothing.

    Args:
        fabric: Of the training.
    """

    def __init__(self, fabric: Any) -> None:
        self._fabric = fabric
        self._heard = fabric.world_size > 1
        """Whether the others are, or will be, waiting for a word."""

    def __enter__(self) -> "Party":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._heard:
            with suppress(RuntimeError):  # one that died took its end of the line with it
                self._fabric.broadcast(None)

    def say(self, word: Any) -> None:
        """Anything but None or False, which would send the others home."""
        if self._heard:
            self._fabric.broadcast(word)

    def step(self, steps: Iterator[Step]) -> Step:
        """The next step, together."""
        others, self._heard = self._heard, False
        if others:
            self._fabric.broadcast(True)
        step = next(steps)  # what ends this inside a step ends it on every process
        self._heard = others
        return step


def follow(fabric: Any, join: Callable[[Any], Training]) -> None:
    """A further process's side, from the beginning to the end.

    Args:
        fabric: Of the training.
        join: The first process's first word → the same training here.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal interrupts every process; the first one decides
    word = fabric.broadcast(None)
    if word is None:
        return
    steps = iter(join(word))
    with suppress(DivergedError):  # on every process at once, and the first one tells
        while fabric.broadcast(None):
            next(steps)
