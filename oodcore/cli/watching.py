"""A run while it goes on: a bar with its losses on a terminal, one line per validation in a log."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from oodcore.cli.screen import remark

if TYPE_CHECKING:
    from oodcore.jobs import Event

See = Callable[["Event", int], None]
"""An event, and the steps of the whole run."""

SHOWN = {
    "accuracy": "accuracy",
    "auroc": "AUROC",
    "fpr95_id_positive": "FPR95 (ID positive)",
    "fpr95_ood_positive": "FPR95 (OOD positive)",
}


@contextmanager
def watching() -> Iterator[See]:
    """Something that is shown each event."""
    if sys.stderr.isatty():
        with _bar() as see:
            yield see
    else:
        yield _log()


def in_words(validation: Mapping[str, Any]) -> str:
    """`accuracy 84.31 %, AUROC 93.20 %, …`."""
    return ", ".join(f"{name} {validation[key]:.2%}" for key, name in SHOWN.items() if key in validation)


def duration(seconds: float) -> str:
    """`45 s`, `3 min`, `2 h 5 min`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def _bar() -> Iterator[See]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[about]}")
    console = Console(stderr=True, highlight=False, markup=False)
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("Training", total=None, about="")

        def see(event: "Event", steps: int) -> None:
            bars.update(task, completed=event.step, total=steps)
            if event.kind == "step" and event.values:  # reading numbers waits for the device, so few steps have some
                bars.update(task, about=f"{_terms(event.values)}; {_pace(event.values)}")
            elif event.kind == "validation":
                console.print(f"Step {event.step:,}: {in_words(event.values)}")

        yield see


def _log() -> See:
    pace = [""]

    def see(event: "Event", steps: int) -> None:
        if event.kind == "step" and event.values:
            pace[0] = _pace(event.values)
        elif event.kind == "validation":
            remark(f"Step {event.step:,} of {steps:,}: {in_words(event.values)}; {pace[0]}")

    return see


def _terms(values: Mapping[str, Any]) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in values.get("terms", {}).items())


def _pace(values: Mapping[str, Any]) -> str:
    left = duration(values.get("seconds_left", 0.0))
    return f"{values.get('images_per_second', 0.0):,.0f} images/s, {left} left"
