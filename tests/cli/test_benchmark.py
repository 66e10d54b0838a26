import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from oodcore.jobs import sweep
from oodcore.jobs.grid import Cell
from oodcore.jobs.store import COLUMNS, Store

Call = Callable[..., Result]


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    (tmp_path / "base.toml").write_text('[model]\narchitecture="resnet-8-w4"\n[data]\ninliers="shapes"\n')
    (tmp_path / "tune.toml").write_text('[model]\ncheckpoint="base"\n[data]\ninliers="shapes"\n')
    path.write_text(
        'title="Small"\nseeds=[1]\n[settings.a]\nbaseline="base.toml"\nid_set="shapes"\nood_sets=["shapes-far"]\n'
        '[methods.plain]\nrecipe="tune.toml"\n'
    )
    return path


def row(**changes: Any) -> dict[str, Any]:
    blank = {"string": "a", "int64": 1, "float64": 0.5}
    how = {"recall": 0.95, "rule": "first", "interpolation": "step", "pooling": "pooled"}
    names = {"setting": "a", "method": "plain", "scorer": "energy", "own_score": "energy", "experiment": "{}"}
    return {name: blank[kind] for name, kind in COLUMNS.items()} | how | names | changes


def test_a_dry_run_lists_cells_and_touches_nothing(call: Call, grid: Path) -> None:
    result = call("benchmark", grid, "--runs", grid.parent / "runs", "--dry-run")
    assert result.exit_code == 0, result.output
    assert [line.split()[:3] for line in result.stdout.splitlines()[1:]] == [
        ["a-baseline", "open", "unknown"],
        ["a-plain-s1", "open", "unknown"],
        ["all", "unknown", "training"],
    ]
    assert not (grid.parent / "runs").exists()


def test_cells_are_carried_out_and_a_failure_is_told_at_the_end(
    call: Call, grid: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def attempt(cell: Cell, *rest: Any) -> str:
        cell.folder.mkdir(parents=True)
        if cell.method is None:
            (cell.folder / "checkpoint").mkdir()
            (cell.folder / "checkpoint" / "model.safetensors").touch()
            (cell.folder / "status.json").write_text('{"state": "finished"}')
            cell.results.write_text(json.dumps({"key": cell.key(), "rows": [row()]}))
        else:
            (cell.folder / "error.txt").write_text("The loss is NaN.")
        return ""

    monkeypatch.setattr(sweep, "attempt", attempt)
    result = call("benchmark", grid, "--runs", grid.parent / "runs", "--results", grid.parent / "rows")
    assert result.exit_code == 2
    assert "1 of 2 cells" in result.stdout
    assert "a-plain-s1: failed. The loss is NaN." in result.stderr
    assert "Traceback" not in result.output
    assert len(Store(grid.parent / "rows").read()) == 1


def test_tables_are_printed_and_written(call: Call, grid: Path) -> None:
    Store(grid.parent / "results" / "small").write("a-plain-s1", [row(auroc=0.875)])
    result = call("benchmark", grid, "--tables")
    assert result.exit_code == 0, result.output
    assert "| plain | energy | 1 | 87.50 |" in result.stdout
    assert call("benchmark", grid, "--markdown", grid.parent / "tables.md").exit_code == 0
    assert (grid.parent / "tables.md").read_text().strip() == result.stdout.strip()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--only", "b-*"], "No cell is called b-*"),
        (["--tables"], "There are no results"),
        (["--data", "nowhere"], "is no folder"),
    ],
)
def test_bad_input_gets_a_sentence(call: Call, grid: Path, words: list[str], sentence: str) -> None:
    result = call("benchmark", grid, *words)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.output


def test_a_grid_that_is_not_there_gets_a_sentence(call: Call, tmp_path: Path) -> None:
    result = call("benchmark", tmp_path / "none.toml")
    assert (result.exit_code, "There is no file" in result.stderr) == (2, True)
