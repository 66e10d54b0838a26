import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from oodcore.checkpoint import load, read_card
from oodcore.errors import DataError
from oodcore.jobs import RunFolder, Status
from oodcore.jobs.cell import carry_out, known_rows, state_of
from oodcore.jobs.grid import Cell, read_grid
from oodcore.jobs.store import Store
from oodcore.jobs.sweep import Sweep
from oodcore.metrics import accuracy, auroc

SETS = {"pets/train": 12, "pets/calibration": 22, "pets/test": 10}
BASE = """
title = "Small"
[model]
{start}
[data]
inliers = "{root}/pets"
{outliers}
[loss]
name = "{loss}"
[train]
steps = {steps}
batch = 8
outlier_batch = 4
lr = 0.05
[validation]
every = 1000
limit = 20
"""
GRID = """
title = "Small grid"
seeds = [1, 2]
scorers = ["energy", "msp", "odin"]
first_seed_only = ["odin"]
bank_rows = 30
[settings.pets]
baseline = "small.toml"
id_set = "{root}/pets"
ood_sets = ["{root}/near", "{root}/far"]
auxiliary = ["{root}/aux"]
[methods.exposure]
recipe = "exposure.toml"
score = "msp"
"""


def drawn(folder: Path, n: int, middle: int, dice: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    for i in range(n):
        pixels = dice.normal(middle, 40, (32, 32, 3)).clip(0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")


def sets(root: Path) -> None:
    dice = np.random.default_rng(0)
    for c, name in enumerate(("cat", "dog", "ship")):
        for part, n in SETS.items():
            drawn(root / part / name, n, 60 + 40 * c, dice)
    for c, name in enumerate(("near/fog", "far/snow", "aux/dust")):
        drawn(root / name, 15, 170 + 30 * c, dice)


def recipe(root: Path, name: str, **changes: object) -> None:
    values = {
        "root": root,
        "start": 'architecture = "resnet-8-w4"',
        "loss": "cross_entropy",
        "outliers": "",
        "steps": 3,
    }
    (root / name).write_text(BASE.format(**(values | changes)))


@pytest.fixture
def cells(tmp_path: Path) -> dict[str, Cell]:
    """Three networks of three steps, not yet trained."""
    sets(tmp_path)
    recipe(tmp_path, "small.toml")
    against = f'outliers = "{tmp_path}/aux"\nnot_tested = []'
    recipe(tmp_path, "exposure.toml", start='checkpoint = "small"', loss="outlier_exposure", outliers=against)
    (tmp_path / "grid.toml").write_text(GRID.format(root=tmp_path))
    return {cell.name: cell for cell in read_grid(tmp_path / "grid.toml").cells(tmp_path / "runs")}


def test_a_grid_becomes_rows_that_the_checkpoints_bear_out(cells: dict[str, Cell], tmp_path: Path) -> None:
    outcomes = {outcome.cell.name: outcome for outcome in Sweep(list(cells.values()), Store(tmp_path / "results"))}
    assert {name: outcome.state for name, outcome in outcomes.items()} == dict.fromkeys(cells, "done"), outcomes
    rows = Store(tmp_path / "results").read()
    keys = [(row["method"], row["seed"], row["ood_set"].rpartition("/")[2], row["scorer"]) for row in rows]
    assert len(set(keys)) == len(keys) == 2 * (3 + 3 + 2)
    assert not any(row["scorer"] == "odin" and row["seed"] == 2 for row in rows)
    _bears_out(cells["pets-exposure-s2"], next(row for row in rows if row["seed"] == 2 and row["scorer"] == "energy"))
    row = next(row for row in rows if row["method"] == "exposure")
    assert (row["steps"], row["batch"], row["outlier_batch"], row["images"]) == (3, 8, 4, 36)
    assert (row["own_score"], row["setting"], row["n_id"], row["n_ood"]) == ("msp", "pets", 30, 15)
    again = [outcome.state for outcome in Sweep(list(cells.values()), Store(tmp_path / "elsewhere"))]
    assert again == ["known"] * len(cells)
    assert len(Store(tmp_path / "elsewhere").read()) == len(rows)
    assert {path.name for path in tmp_path.rglob("error.txt")} == set()


def test_rows_of_another_machine_are_known_where_the_baseline_is_among_the_checkpoints(
    cells: dict[str, Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, first = Store(tmp_path / "results"), [cells["pets-baseline"], cells["pets-exposure-s1"]]
    assert [outcome.state for outcome in Sweep(first, store)] == ["done", "done"]
    monkeypatch.chdir(tmp_path)
    elsewhere = {cell.name: cell for cell in read_grid(tmp_path / "grid.toml").cells(tmp_path / "other")}
    baseline, tuned, later = (elsewhere[name] for name in ("pets-baseline", "pets-exposure-s1", "pets-exposure-s2"))
    assert [known_rows(cell, store) is not None for cell in (baseline, tuned)] == [True, False]  # no weights, no key
    shutil.copytree(cells["pets-baseline"].folder / "checkpoint", tmp_path / "checkpoints" / "small")
    assert state_of(tuned, store) == ("done", "")
    assert state_of(later, store) == ("open", "")
    assert {outcome.cell.name: outcome.state for outcome in Sweep([baseline, tuned, later], store)} == {
        "pets-baseline": "known",
        "pets-exposure-s1": "known",
        "pets-exposure-s2": "done",
    }
    assert not baseline.folder.exists()  # nothing was trained again
    recipe(tmp_path, "small.toml", steps=4)
    assert known_rows(baseline, store) is known_rows(tuned, store) is None
    assert baseline.start == baseline.folder / "checkpoint"  # that of the other recipe is not taken


def _bears_out(cell: Cell, row: dict[str, object]) -> None:
    """The weights on disk, looked at by hand, give the row's numbers."""
    from oodcore.data import open_set

    model = load(cell.folder / "checkpoint")
    inside, near = (open_set(name, "test") for name in (cell.setting.id_set, cell.setting.ood_sets[0]))
    logits, labels = [], []
    for images in (inside, near):
        batches = list(images.batches(64, model.transform))
        with torch.no_grad():
            logits.append(torch.cat([model(model.transform.normalise(batch.images)).logits for batch in batches]))
        labels.append(torch.cat([batch.labels for batch in batches]))
    energies = [-part.logsumexp(1) for part in logits]
    assert row["accuracy"] == pytest.approx(accuracy(logits[0], labels[0]))
    assert row["auroc"] == pytest.approx(auroc(*energies), abs=2e-3)
    assert read_card(cell.folder / "checkpoint").parent == "small"


def test_what_is_trained_is_only_measured_and_what_is_measured_another_way_is_measured_again(
    cells: dict[str, Cell], tmp_path: Path
) -> None:
    cell = cells["pets-baseline"]
    assert state_of(cell) == ("open", "")
    first = carry_out(cell)
    written = RunFolder(cell.folder).events()
    assert state_of(cell)[0] == "done"
    grid = tmp_path / "grid.toml"
    grid.write_text(grid.read_text().replace(f', "{tmp_path}/far"', ""))
    fewer = read_grid(grid).cells(tmp_path / "runs")[0]
    assert known_rows(fewer) is None
    assert state_of(fewer)[0] == "trained"
    second = carry_out(fewer)
    assert len(second) == len(first) / 2
    assert RunFolder(cell.folder).events() == written  # no step was taken


def test_a_baseline_that_changed_is_not_mixed_with_what_began_from_the_old_one(cells: dict[str, Cell]) -> None:
    start, tuned = cells["pets-baseline"], cells["pets-exposure-s1"]
    weights = start.folder / "checkpoint" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"new")
    tuned.folder.mkdir(parents=True)
    (tuned.folder / "parent.json").write_text(json.dumps({"weights": "of before"}))
    with pytest.raises(DataError, match="another one since it began"):
        carry_out(tuned)


def test_a_failure_is_written_down_and_stops_nothing_else(cells: dict[str, Cell], tmp_path: Path) -> None:
    bad = tmp_path / "exposure.toml"
    bad.write_text(bad.read_text().replace("outlier_exposure", "energi"))
    found = {outcome.cell.name: outcome for outcome in Sweep(list(cells.values()), Store(tmp_path / "results"))}
    assert found["pets-baseline"].state == "done"
    assert found["pets-exposure-s1"].state == "failed"
    assert "Did you mean 'energy'" in found["pets-exposure-s1"].message
    assert state_of(cells["pets-exposure-s2"]) == ("failed", found["pets-exposure-s2"].message)


@pytest.mark.slow
def test_a_killed_process_is_told_and_its_cell_goes_on_where_it_was(cells: dict[str, Cell], tmp_path: Path) -> None:
    recipe(tmp_path, "small.toml", steps=400)
    program = (
        "import sys; from pathlib import Path; from oodcore.jobs.grid import read_grid; "
        "from oodcore.jobs.cell import carry_out; import oodcore.jobs.run as run; run.SAVED_EVERY = 0.1\n"
        "carry_out(read_grid(Path(sys.argv[1]) / 'grid.toml').cells(Path(sys.argv[1]) / 'runs')[0])"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)])
    cell = cells["pets-baseline"]
    deadline = time.monotonic() + 120
    while (status := RunFolder(cell.folder).status) is None or status.step < 5:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert state_of(cell)[0] == "begun"
    carry_out(cell)
    kinds = [event["kind"] for event in RunFolder(cell.folder).events()]
    assert "resumed" in kinds
    assert RunFolder(cell.folder).status == Status("finished", 400, 400)
