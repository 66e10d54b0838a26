"""All cells of a grid, one after the other or several at a time; what fails is written down and stops nothing."""

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal

from oodcore.checkpoint.layout import MODEL
from oodcore.errors import OODError
from oodcore.evaluate import Work
from oodcore.jobs.cell import ERROR, carry_out, known_rows, state_of
from oodcore.jobs.folder import RunFolder
from oodcore.jobs.grid import Cell
from oodcore.jobs.store import Store

__all__ = ["Outcome", "Sweep"]

LOOK = 1.0  # seconds between two looks at running cells
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a cell.

    Args:
        cell: Which.
        state: "known" was done before; "late" was not begun because time was up.
        message: A sentence, where it is not there.
        seconds: That it took now.
    """

    cell: Cell
    state: Literal["done", "known", "failed", "late"]
    message: str = ""
    seconds: float = 0.0


@dataclass
class Sweep:
    """Cells on their way.

    Args:
        cells: In the order in which they are begun.
        store: Where rows go.
        root: Folder of the image sets.
        jobs: Cells at a time; above 1 each has a process of its own.
        until: Seconds after which no further cell is begun.
        work: How passes are run; where several cells run at a time, nobody is told of their passes.
        tell: Called with a cell's name, its step, and how many there are.
        threads: Of each cell's process; else the cores are shared out.
    """

    cells: Sequence[Cell]
    store: Store
    root: Path | None = None
    jobs: int = 1
    until: float | None = None
    work: Work | None = None
    tell: Tell | None = None
    threads: int | None = None
    started: float = field(default_factory=time.monotonic)

    def __iter__(self) -> Iterator[Outcome]:
        """As they end. What another process works on is waited for, and so is a baseline by what starts from it."""
        waiting = list(self.cells)
        for cell in self.cells:
            if (rows := known_rows(cell, self.store)) is not None:
                self.store.write(cell.name, rows)
                waiting.remove(cell)
                yield Outcome(cell, "known")
        running: dict[str, tuple[Cell, BaseProcess, float]] = {}
        try:
            while waiting or running:
                yield from self._ended(running)
                yield from self._refused(waiting, running)
                if self.late:
                    yield from (Outcome(cell, "late", "Time was up.") for cell in waiting)
                    waiting.clear()
                ready = next((cell for cell in waiting if self._ready(cell, waiting, running)), None)
                if ready is None or len(running) >= self.jobs:
                    time.sleep(LOOK if running or waiting else 0)
                    continue
                waiting.remove(ready)
                if self.jobs == 1:
                    yield self._here(ready)
                else:
                    running[ready.name] = ready, self._begin(ready), time.monotonic()
        finally:
            for cell, process, _ in running.values():  # on Ctrl-C: they stop after their step, and keep their state
                cell.folder.mkdir(parents=True, exist_ok=True)
                RunFolder(cell.folder).cancel()
                process.join()

    @property
    def late(self) -> bool:
        """Whether no further cell is begun."""
        return self.until is not None and time.monotonic() - self.started >= self.until

    def _ready(self, cell: Cell, waiting: list[Cell], running: dict[str, tuple[Cell, BaseProcess, float]]) -> bool:
        parent = cell.parent
        ahead = {other.folder for other in waiting} | {other.folder for other, _, _ in running.values()}
        if parent is not None and (parent.folder in ahead or RunFolder(parent.folder).live):
            return False
        return not RunFolder(cell.folder).live

    def _refused(self, waiting: list[Cell], running: dict[str, tuple[Cell, BaseProcess, float]]) -> Iterator[Outcome]:
        """What cannot start any more, because its baseline is not there and nobody makes it."""
        ahead = {other.folder for other in waiting} | {other.folder for other, _, _ in running.values()}
        for cell in list(waiting):
            parent = cell.parent
            if parent is None or parent.folder in ahead or RunFolder(parent.folder).live:
                continue
            if not (parent.start / MODEL).is_file():
                waiting.remove(cell)
                yield Outcome(cell, "failed", f"Its baseline in '{parent.folder}' has not finished.")

    def _here(self, cell: Cell) -> Outcome:
        start = time.monotonic()
        said = attempt(cell, self.root, self.work, self.tell)
        return self._outcome(cell, start, said)

    def _begin(self, cell: Cell) -> BaseProcess:
        threads = self.threads or max((os.cpu_count() or 1) // self.jobs, 1)
        work = None if self.work is None else replace(self.work, progress=None)
        process = multiprocessing.get_context("spawn").Process(
            target=apart, args=(cell, self.root, threads, work), name=cell.name
        )
        with exported(OMP_NUM_THREADS=str(threads)):
            process.start()
        return process

    def _ended(self, running: dict[str, tuple[Cell, BaseProcess, float]]) -> Iterator[Outcome]:
        for name, (cell, process, start) in list(running.items()):
            if process.is_alive():
                self._tell(cell)
                continue
            process.join()
            del running[name]
            yield self._outcome(cell, start, f"Its process ended with code {process.exitcode}.")

    def _tell(self, cell: Cell) -> None:
        status = RunFolder(cell.folder).status
        if self.tell is not None and status is not None and status.steps:
            self.tell(cell.name, status.step, status.steps)

    def _outcome(self, cell: Cell, start: float, ended: str = "") -> Outcome:
        seconds = time.monotonic() - start
        if (rows := known_rows(cell)) is not None:
            self.store.write(cell.name, rows)
            return Outcome(cell, "done", seconds=seconds)
        state, message = state_of(cell)
        if cell.results.is_file():
            ended = "Its recipe or its baseline was changed while it ran. Start the grid again."
        return Outcome(cell, "failed", message if state == "failed" else ended, seconds)


def attempt(cell: Cell, root: Path | None, work: Work | None = None, tell: Tell | None = None) -> str:
    """Carry a cell out; what made it fail is returned, and written into its folder where the disk has room for that."""
    try:
        carry_out(cell, root=root, work=work, tell=tell)
    except Exception as error:
        said = str(error) if isinstance(error, OODError | OSError) else f"{type(error).__name__}: {error}"
        with suppress(OSError):
            cell.folder.mkdir(parents=True, exist_ok=True)
            (cell.folder / ERROR).write_text(said + "\n", "utf-8")
        return said
    return ""


def apart(cell: Cell, root: Path | None, threads: int, work: Work | None = None) -> None:
    """The same in a process of its own; what libraries print goes into the run's folder."""
    import torch

    torch.set_num_threads(threads)
    cell.folder.mkdir(parents=True, exist_ok=True)
    with (cell.folder / "log.txt").open("a", encoding="utf-8") as log:
        sys.stdout = sys.stderr = log
        attempt(cell, root, work)


@contextmanager
def exported(**values: str) -> Iterator[None]:
    """Environment for a process that is started inside."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
