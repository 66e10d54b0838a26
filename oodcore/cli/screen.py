"""Results to stdout, where they can be piped; progress and remarks to stderr."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType

Tell = Callable[[str, int, int], None]  # what is being done, how much of it, of how much
PIPED_WIDTH = 240
WORTH_A_LINE = 1.0  # seconds


def show(*things: RenderableType) -> None:
    """Tables and text; not folded to a screen's width when piped. Brackets in names are brackets."""
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False, markup=False)
    for thing in things:
        console.print(thing, soft_wrap=isinstance(thing, str))


def show_json(value: Any) -> None:
    """JSON and nothing else. NaN is no JSON: it is refused rather than written."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def remark(sentence: str) -> None:
    """Something to know beside the result."""
    Console(stderr=True).print(sentence, soft_wrap=True, highlight=False, markup=False)


@contextmanager
def progress() -> Iterator[Tell]:
    """A bar for each stage on a terminal; one line for each longer stage in a log."""
    if sys.stderr.isatty():
        with _bars() as tell:
            yield tell
    else:
        yield _log()


@contextmanager
def _bars() -> Iterator[Tell]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield tell


def _log() -> Tell:
    started: dict[str, float] = {}

    def tell(stage: str, done: int, total: int) -> None:
        started.setdefault(stage, time.monotonic())
        if done >= total > 0 and (spent := time.monotonic() - started.pop(stage)) > WORTH_A_LINE:
            remark(f"{stage}: {total:,} in {spent:.1f} s")

    return tell
