from pathlib import Path

import pytest

from oodcore.jobs import RunFolder, Status
from oodcore.jobs.estimate import Estimate
from oodcore.jobs.grid import Cell, Grid, Method, Setting


@pytest.fixture
def cells(tmp_path: Path) -> list[Cell]:
    data = '[data]\ninliers="shapes"\n'
    (tmp_path / "base.toml").write_text(f'[model]\narchitecture="resnet-8-w4"\n{data}[train]\nsteps=100\nbatch=10\n')
    tuned = f'[model]\ncheckpoint="base"\n{data}outliers="shapes-aux"\n[train]\nsteps=30\nbatch=10\noutlier_batch=20\n'
    (tmp_path / "tune.toml").write_text(tuned + '[loss]\nname="outlier_exposure"\n')
    setting = Setting("a", "base.toml", "shapes", ("shapes-far",))
    return Grid("Two", (setting,), (Method("x", "tune.toml"),), (1,), folder=tmp_path).cells(tmp_path / "runs")


def test_nothing_is_said_before_anything_has_run(cells: list[Cell]) -> None:
    assert [Estimate(cells).seconds(cell) for cell in cells] == [None, None]


def test_images_that_are_left_over_the_speed_that_was_told(cells: list[Cell]) -> None:
    place = RunFolder(cells[0].folder)
    place.tell(Status("running", 60, 100))  # 40 steps of 10 images are left
    place.append({"kind": "step", "step": 60, "images_per_second": 50.0})
    estimate = Estimate(cells)
    assert [estimate.seconds(cell) for cell in cells] == [pytest.approx(8.0), pytest.approx(30 * 30 / 50)]


def test_a_recipe_that_cannot_be_read_has_no_estimate(cells: list[Cell]) -> None:
    RunFolder(cells[0].folder).tell(Status("running", 60, 100))
    RunFolder(cells[0].folder).append({"kind": "step", "step": 60, "images_per_second": 50.0})
    (cells[1].grid.folder / "tune.toml").write_text("[model]")
    assert Estimate(cells).seconds(cells[1]) is None
