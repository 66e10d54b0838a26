"""Which cell begins when: the networks are pretended."""

import json
import os
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from oodcore.evaluate import Work
from oodcore.jobs import RunFolder, Status
from oodcore.jobs import sweep as module
from oodcore.jobs.grid import Cell, Grid, Method, Setting
from oodcore.jobs.store import COLUMNS, Store
from oodcore.jobs.sweep import Outcome, Sweep

ROW = {name: {"string": "a", "int64": 1, "float64": 0.5}[kind] for name, kind in COLUMNS.items()}


@pytest.fixture
def cells(tmp_path: Path) -> list[Cell]:
    settings = tuple(Setting(name, f"{name}.toml", "shapes", ("shapes-far",)) for name in ("a", "b"))
    for setting in settings:
        (tmp_path / setting.baseline).write_text('[model]\narchitecture="resnet-8-w4"\n[data]\ninliers="shapes"\n')
    (tmp_path / "tune.toml").write_text('[model]\ncheckpoint="a"\n[data]\ninliers="shapes"\n')
    methods = (Method("x", "tune.toml"), Method("y", "tune.toml"))
    return Grid("Pretended", settings, methods, (1, 2), folder=tmp_path).cells(tmp_path / "runs")


def pretended(cell: Cell, *rest: Any) -> str:
    """Trained and measured in no time."""
    place = RunFolder(cell.folder)
    place.checkpoint.mkdir(parents=True, exist_ok=True)
    (place.checkpoint / "model.safetensors").write_text(cell.name)
    place.tell(Status("finished", 1, 1))
    cell.results.write_text(json.dumps({"key": cell.key(), "rows": [ROW]}))
    return ""


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names in the order in which cells are begun."""
    order: list[str] = []

    def attempt(cell: Cell, *rest: Any) -> str:
        order.append(cell.name)
        return pretended(cell)

    monkeypatch.setattr(module, "attempt", attempt)
    monkeypatch.setattr(module, "LOOK", 0.01)
    return order


def test_cells_begin_in_their_order_and_their_rows_are_stored(
    cells: list[Cell], begun: list[str], tmp_path: Path
) -> None:
    outcomes = list(Sweep(cells, Store(tmp_path / "results")))
    assert begun == [cell.name for cell in cells]
    assert {outcome.state for outcome in outcomes} == {"done"}
    assert sorted(path.stem for path in (tmp_path / "results").iterdir()) == sorted(begun)


def test_what_is_done_is_not_begun_again(cells: list[Cell], begun: list[str], tmp_path: Path) -> None:
    pretended(cells[0])
    pretended(cells[2])
    states = {outcome.cell.name: outcome.state for outcome in Sweep(cells, Store(tmp_path / "results"))}
    assert states["a-baseline"] == states["a-x-s1"] == "known"
    assert begun == [cell.name for cell in cells if states[cell.name] == "done"]
    assert len(list((tmp_path / "results").iterdir())) == len(cells)  # their rows are stored all the same


def test_without_its_baseline_a_cell_fails_and_the_others_go_on(
    cells: list[Cell], begun: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = module.attempt

    def attempt(cell: Cell, *rest: Any) -> str:
        if cell.name == "a-baseline":
            cell.folder.mkdir(parents=True)
            (cell.folder / "error.txt").write_text("The disk is full.\n")
            return "The disk is full."
        return str(working(cell, *rest))

    monkeypatch.setattr(module, "attempt", attempt)
    found = {outcome.cell.name: outcome for outcome in Sweep(cells, Store(tmp_path / "results"))}
    assert found["a-baseline"] == Outcome(cells[0], "failed", "The disk is full.", found["a-baseline"].seconds)
    assert "has not finished" in found["a-x-s1"].message
    assert {name: outcome.state for name, outcome in found.items() if name[0] == "b"} == dict.fromkeys(
        [cell.name for cell in cells if cell.name[0] == "b"], "done"
    )


def test_settings_that_share_a_baseline_measure_it_each_in_their_own_way(begun: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[model]\narchitecture="resnet-8-w4"\n[data]\ninliers="shapes"\n')
    settings = tuple(Setting(name, "a.toml", "shapes", (name,)) for name in ("shapes-far", "shapes-near"))
    cells = Grid("Shared", settings, (), (1,), folder=tmp_path).cells(tmp_path / "runs")
    assert [outcome.state for outcome in Sweep(cells, Store(tmp_path / "results"))] == ["done", "done"]
    assert [outcome.state for outcome in Sweep(cells, Store(tmp_path / "results"))] == ["known", "known"]
    assert cells[0].folder == cells[1].folder


def test_what_fails_on_a_full_disk_is_told_without_a_file(
    cells: list[Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*about: Any, **more: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "carry_out", failing)
    monkeypatch.setattr(Path, "write_text", failing)
    outcomes = list(Sweep(cells[:2], Store(tmp_path / "results")))
    assert [(outcome.state, outcome.message) for outcome in outcomes] == [
        ("failed", "[Errno 28] No space left on device")
    ] * 2


def test_when_time_is_up_no_further_cell_begins(cells: list[Cell], begun: list[str], tmp_path: Path) -> None:
    outcomes = list(Sweep(cells, Store(tmp_path / "results"), until=0.0))
    assert begun == []
    assert {outcome.state for outcome in outcomes} == {"late"}


def test_a_baseline_that_another_process_works_on_is_waited_for(
    cells: list[Cell], begun: list[str], tmp_path: Path
) -> None:
    pretended(cells[0])
    found: Callable[[], list[str]] = lambda: [name for name in begun if name[0] == "a"]  # noqa: E731
    with RunFolder(cells[0].folder).held():
        sweep = iter(Sweep(cells, Store(tmp_path / "results")))
        others = [next(sweep).cell.name for _ in range(6)]  # the known baseline, and everything of b
        assert found() == []
    rest = [outcome.state for outcome in sweep]
    assert sorted(others[1:]) == sorted(cell.name for cell in cells if cell.name[0] == "b")
    assert found() == ["a-x-s1", "a-y-s1", "a-x-s2", "a-y-s2"]
    assert rest == ["done"] * 4


def test_an_own_recipe_that_changes_meanwhile_is_told(
    cells: list[Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def attempt(cell: Cell, *rest: Any) -> str:
        pretended(cell)
        recipe = tmp_path / "a.toml"
        recipe.write_text(recipe.read_text() + "[train]\nlr=0.5\n")
        return ""

    monkeypatch.setattr(module, "attempt", attempt)
    (outcome,) = Sweep(cells[:1], Store(tmp_path / "results"))
    assert "changed while it ran" in outcome.message


@pytest.mark.slow
def test_several_at_a_time_have_processes_of_their_own(cells: list[Cell], tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text('[model]\narchitecture="resnet-8-w4"\n[data]\ninliers="shapse"\n')
    outcomes = list(Sweep(cells[:2], Store(tmp_path / "results"), jobs=2))
    assert {outcome.cell.name for outcome in outcomes} == {"a-baseline", "b-baseline"}
    for outcome in outcomes:
        assert outcome.state == "failed"
        assert "Did you mean 'shapes'" in outcome.message
        assert (outcome.cell.folder / "log.txt").is_file()


@pytest.mark.slow
def test_a_process_that_dies_is_told_by_its_code(
    cells: list[Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "apart", os.abort)  # which takes no arguments, so the process ends in an error
    (outcome,) = Sweep(cells[:1], Store(tmp_path / "results"), jobs=2)
    assert (outcome.state, outcome.message) == ("failed", "Its process ended with code 1.")


def test_threads_and_cache_reach_the_processes_of_several_cells(
    cells: list[Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    class Noted(BaseProcess):
        exitcode = 0  # type: ignore[assignment]

        def __init__(self, target: Any, args: tuple[Any, ...], name: str) -> None:
            given.append(args[2:])

        def start(self) -> None:
            given[-1] = (*given[-1][:2], os.environ["OMP_NUM_THREADS"])

        def is_alive(self) -> bool:
            return False

        def join(self) -> None:
            pass

    monkeypatch.setattr(module.multiprocessing, "get_context", lambda kind: SimpleNamespace(Process=Noted))
    work = Work(64, tmp_path / "cache", lambda *told: None)
    list(Sweep(cells[:1], Store(tmp_path / "results"), jobs=2, work=work, threads=3))
    assert given == [(3, Work(64, tmp_path / "cache"), "3")]
