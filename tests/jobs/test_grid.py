from pathlib import Path

import pytest

from oodcore.checkpoint import folder_of
from oodcore.config import recipes
from oodcore.errors import DataError, UnknownNameError
from oodcore.jobs.grid import Grid, read_grid

GRID = """
title = "Two settings"
seeds = [4, 5]
first_seed_only = ["odin"]

[settings.even]
baseline = "cifar10-resnet20"
id_set = "cifar10-jpeg"
ood_sets = ["ood-mnist"]
auxiliary = ["tin-aux50"]

[settings.tail]
baseline = "cifar10-lt-resnet20"
id_set = "cifar10-jpeg"
ood_sets = ["ood-mnist", "ood-gtsrb"]

[methods.energy]

[methods.warm]
recipe = "{baseline}-energy"
score = "energy"
settings = ["even"]
changes = ["train.lr=0.5"]
"""


def written(folder: Path, text: str = GRID) -> Path:
    path = folder / "grid.toml"
    path.write_text(text)
    return path


@pytest.fixture
def grid(tmp_path: Path) -> Grid:
    return read_grid(written(tmp_path))


def test_baselines_come_first_then_every_cell_of_one_seed_then_of_the_next(grid: Grid, tmp_path: Path) -> None:
    assert [cell.name for cell in grid.cells(tmp_path)] == [
        "even-baseline",
        "tail-baseline",
        "even-energy-s4",
        "even-warm-s4",
        "tail-energy-s4",
        "even-energy-s5",
        "even-warm-s5",
        "tail-energy-s5",
    ]


def test_patterns_choose_cells(grid: Grid, tmp_path: Path) -> None:
    assert [cell.name for cell in grid.cells(tmp_path, ["even-e*", "*-baseline"])] == [
        "even-baseline",
        "tail-baseline",
        "even-energy-s4",
        "even-energy-s5",
    ]


def test_a_fine_tuning_starts_from_its_baselines_folder_with_its_own_seed_and_changes(
    grid: Grid, tmp_path: Path
) -> None:
    cells = {cell.name: cell for cell in grid.cells(tmp_path)}
    found, start = cells["even-warm-s5"].experiment, cells["even-baseline"]
    assert start.folder == tmp_path.resolve() / "cifar10-resnet20"
    assert start.experiment.model.architecture == "resnet-20"
    assert found.model.checkpoint == str(folder_of("cifar10-resnet20"))  # which this recipe made
    start.folder.mkdir()
    assert cells["even-warm-s5"].experiment.model.checkpoint == str(start.folder / "checkpoint")
    assert (found.train.seed, found.train.lr, found.loss) == (5, 0.5, "energy")
    assert cells["even-energy-s5"].experiment.train.lr != 0.5


def test_dear_scorers_are_for_baselines_and_the_first_seed(grid: Grid, tmp_path: Path) -> None:
    without = {cell.name: cell.without for cell in grid.cells(tmp_path)}
    assert without["even-baseline"] == without["even-energy-s4"] == ()
    assert without["even-energy-s5"] == ("odin",)


def test_the_key_follows_what_is_run_and_measured_and_the_weights_it_starts_from(grid: Grid, tmp_path: Path) -> None:
    cells = {cell.name: cell for cell in grid.cells(tmp_path)}
    cell = cells["even-energy-s4"]
    (tmp_path / "cifar10-resnet20").mkdir()  # begun here, so that the shipped one does not count
    with pytest.raises(DataError, match="Run its baseline first"):
        cell.key()
    weights = tmp_path / "cifar10-resnet20" / "checkpoint" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"one")
    first = cell.key()
    assert first == cell.key()
    assert first not in {cells["even-energy-s5"].key(), cells["even-warm-s4"].key()}
    weights.write_bytes(b"two")
    assert cell.key() != first
    weights.write_bytes(b"one")
    (elsewhere := tmp_path / "moved").mkdir()
    weights.parent.parent.rename(elsewhere / "cifar10-resnet20")
    moved = {each.name: each for each in grid.cells(elsewhere)}
    assert moved["even-energy-s4"].key() == first  # where the runs lie does not matter


def test_a_recipe_may_be_a_file_beside_the_grid_and_its_words_do_not_matter(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    table = '[model]\narchitecture="resnet-8-w4"\n[data]\ninliers="shapes"\n'
    grid = read_grid(written(tmp_path, GRID.replace('"cifar10-resnet20"', '"mine.toml"')))
    own.write_text(f'title="One"\n{table}')
    cell = grid.cells(tmp_path / "runs")[0]
    before = cell.key()
    assert cell.folder.name == "mine"
    own.write_text(f'title="Another"\nnotes=["Said so."]\n{table}')
    assert cell.key() == before
    own.write_text(f'title="One"\n{table}[train]\nlr=0.5\n')
    assert cell.key() != before


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("seeds = [4, 5]", "seeds = []", "at least one seed"),
        ("seeds = [4, 5]", 'seeds = ["one"]', "whole numbers in a list"),
        ("seeds = [4, 5]", "", "lacks seeds"),
        ('baseline = "cifar10-resnet20"', "", r"\[settings.even\] lacks baseline"),
        ('settings = ["even"]', 'settings = ["evne"]', "Did you mean 'even'"),
        ("[methods.energy]", "[methods.baseline]", "before fine-tuning"),
        ('ood_sets = ["ood-mnist"]', 'odd_sets = ["ood-mnist"]', "Did you mean 'ood_sets'"),
        ("[settings.even]", "[settings.even", "no readable TOML"),
    ],
)
def test_what_cannot_be_is_told(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises((DataError, UnknownNameError), match=sentence):
        read_grid(written(tmp_path, GRID.replace(old, new)))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no file"):
        read_grid(tmp_path / "none.toml")


def test_the_grid_of_this_project_names_recipes_that_exist() -> None:
    grid = read_grid(Path(__file__).parents[2] / "benchmarks" / "cifar10.toml")
    cells = grid.cells(Path("runs"))
    assert len(cells) == 2 + 3 * (9 + 7)
    for cell in cells:
        assert cell.experiment.train.seed == (cell.seed or 0)
    assert {cell.setting.baseline for cell in cells} <= set(recipes())


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", ".hidden", ".."])
def test_a_name_that_would_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    for table in ("settings.even", "methods.energy"):
        text = GRID.replace(f"[{table}]", f'[{table.partition(".")[0]}."{name}"]').replace('["even"]', "[]")
        with pytest.raises(DataError, match="cannot name a folder"):
            read_grid(written(tmp_path, text))


def test_braces_that_stand_for_nothing_are_part_of_a_recipes_name(tmp_path: Path) -> None:
    grid = read_grid(written(tmp_path, GRID.replace("{baseline}-energy", "{strange}-energy")))
    cell = next(cell for cell in grid.cells(tmp_path) if cell.name == "even-warm-s4")
    with pytest.raises(UnknownNameError, match=r"'\{strange\}-energy'"):
        _ = cell.experiment
