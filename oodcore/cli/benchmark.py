"""`ood benchmark`: a grid of settings, methods and seeds, into one table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oodcore.cli.guard import say
from oodcore.cli.options import Cache, Data, Threads, data_root, examples, names, prepare
from oodcore.cli.screen import progress, remark, show
from oodcore.cli.watching import duration
from oodcore.errors import DataError

if TYPE_CHECKING:
    from rich.table import Table

    from oodcore.jobs.grid import Cell, Grid
    from oodcore.jobs.store import Store
    from oodcore.jobs.sweep import Outcome

EXAMPLES = examples(
    "ood benchmark benchmarks/cifar10.toml --dry-run",
    "ood benchmark benchmarks/cifar10.toml --jobs 2 --until 28800",
    "ood benchmark benchmarks/cifar10.toml --only 'cifar10-energy*' --runs /scratch/runs",
    "ood benchmark benchmarks/cifar10.toml --tables --results docs/results/cifar10 --markdown tables.md",
)
RUNS = Path("runs")
FAILED = 2


def benchmark(
    grid: Annotated[Path, typer.Argument(metavar="GRID.toml", help="Settings, methods and seeds.")],
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="PATTERN", help="Only these cells, as 'cifar10-energy*'.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the cells, how they stand, and how long.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Cells at a time; they share the cores.")] = 1,
    until: Annotated[
        float | None, typer.Option("--until", metavar="SECONDS", min=0, help="Begin no cell after so many seconds.")
    ] = None,
    runs: Annotated[
        Path | None, typer.Option("--runs", envvar="RUNS", help="Folder of the runs' folders; else ./runs.")
    ] = None,
    results: Annotated[
        Path | None, typer.Option("--results", help="Folder of the results; else results/GRID beside the grid.")
    ] = None,
    tables: Annotated[bool, typer.Option("--tables", help="Run nothing: print the tables of the results.")] = False,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="With --tables: write them here.")] = None,
    cache: Cache = True,
    data: Data = None,
    threads: Threads = None,
) -> None:
    """Train, measure and keep every cell of a grid: first everything with the first seed, then with the next.

    What is done, here or according to the results, is not done again, what was stopped or killed goes on, what fails
    is told and stops nothing. Each cell's run, its checkpoint included, stays in its folder; its rows are one Parquet
    file among the results.
    """
    from oodcore.jobs.grid import read_grid
    from oodcore.jobs.store import Store

    whole, root = read_grid(grid), data_root(data)
    store = Store(results or grid.parent / "results" / grid.stem)
    if tables or markdown is not None:
        _tables(whole, store, markdown)
        return
    cells = whole.cells(runs or RUNS, names(only))
    if not cells:
        raise DataError(f"No cell is called {' or '.join(names(only))}. --dry-run lists them.")
    if dry_run:
        show(_listed(cells, store, root))
        return
    if jobs == 1:
        prepare("cpu", threads)
    _run(cells, store, root, jobs, until, threads, cache)


def _run(
    cells: "list[Cell]",
    store: "Store",
    root: Path | None,
    jobs: int,
    until: float | None,
    threads: int | None,
    cache: bool,
) -> None:
    from oodcore.cli.trial import work
    from oodcore.jobs.sweep import Sweep

    done, failed = 0, 0
    with progress() as tell:
        sweep = Sweep(cells, store, root, jobs, until, work(256, cache, tell), tell, threads)
        for outcome in sweep:
            done += outcome.state in ("done", "known")
            failed += outcome.state == "failed"
            _told(outcome, done, len(cells))
    show(f"{done} of {len(cells)} cells are in '{store.folder}'.")
    if failed:
        say(f"{failed} failed. Mend what they say and start the same command again: the rest is not done twice.")
        raise typer.Exit(FAILED)


def _told(outcome: "Outcome", done: int, cells: int) -> None:
    if outcome.state == "done":
        remark(f"{outcome.cell.name}: done in {duration(outcome.seconds)} ({done} of {cells}).")
    elif outcome.state == "failed":
        remark(f"{outcome.cell.name}: failed. {outcome.message}")
    elif outcome.state == "late":
        remark(f"{outcome.cell.name}: not begun. {outcome.message}")


def _listed(cells: "list[Cell]", store: "Store", root: Path | None) -> "Table":
    from rich.table import Table

    from oodcore.jobs.cell import state_of
    from oodcore.jobs.estimate import Estimate

    table, estimate = Table("cell", "state", "time", "", box=None, pad_edge=False), Estimate(cells, root)
    total: float | None = 0.0
    for cell in cells:
        state, sentence = state_of(cell, store)
        seconds = 0.0 if state == "done" else estimate.seconds(cell)
        total = None if total is None or seconds is None else total + seconds
        table.add_row(cell.name, state, "" if state == "done" else _time(seconds), sentence)
    table.add_row("all", "", _time(total), "training alone, one cell at a time")
    return table


def _time(seconds: float | None) -> str:
    return "unknown" if seconds is None else duration(seconds)


def _tables(whole: "Grid", store: "Store", markdown: Path | None) -> None:
    from oodcore.atomic import replacing
    from oodcore.jobs.tables import tables_of

    rows = store.read()
    if not rows:
        raise DataError(
            f"There are no results in '{store.folder}' yet. Run the grid first, or name them with --results."
        )
    text = tables_of(rows, whole)
    if markdown is None:
        show(text)
        return
    with replacing(markdown) as part:
        part.write_text(text, "utf-8")
    show(f"Tables of {len(rows):,} rows: {markdown}")
