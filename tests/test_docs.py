import re
import runpy
from pathlib import Path

import pytest

from oodcore.data import photo
from oodcore.jobs.grid import read_grid
from oodcore.jobs.store import Store
from oodcore.jobs.tables import tables_of
from oodcore.scorers import scorers

ROOT = Path(__file__).parents[1]


def test_the_page_of_scorers_is_what_the_registry_says() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_scorers.py"))["page"]()
    assert (ROOT / "docs" / "scorers.md").read_text(encoding="utf-8") == made, "run: python docs/make_scorers.py"


def test_the_picture_of_the_sweep_shows_what_was_measured() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_imbalance.py"))
    drawn = (ROOT / "docs" / "pictures" / "imbalance.svg").read_text(encoding="utf-8")
    assert drawn == made["picture"](made["measured"]()), "run: python docs/make_imbalance.py"
    told = (ROOT / "docs" / "results" / "imbalance.md").read_text(encoding="utf-8")
    assert told == made["table"](made["measured"]()), "run: python docs/make_imbalance.py"


def test_the_picture_of_the_sweep_has_means_and_ranges_over_seeds() -> None:
    """Two losses, two imbalances, two seeds: places counted by hand."""
    made = runpy.run_path(str(ROOT / "docs" / "make_imbalance.py"))

    def run(way: str, imbalance: int, seed: int, value: float) -> dict[str, str]:
        alike = {f"auroc_alike_{number}": str(value) for number in range(10)}
        return {
            "way": way,
            "imbalance": str(imbalance),
            "seed": str(seed),
            "auroc_near": "0.6",
            "auroc_alike": "0.6",
        } | alike

    runs = [run("before", 1, 0, 0.55), run("energy", 1, 0, 0.775), run("energy", 1, 1, 1.0), run("energy", 4, 0, 0.55)]
    rare = "".join(made["lines"](runs, made["PANELS"]["three rarest"], 100, [1.0, 2.0, 4.0]))
    assert "M112.0 155.0V60.0" in rare  # 190 pixels from 0.55 at 250 to 1 at 60
    assert 'points="112.0,107.5 278.0,250.0"' in rare
    assert "M100 250.0h190" in rare
    assert made["across"]([1.0, 2.0, 4.0], 100) == pytest.approx([112, 195, 278])


def test_the_tables_of_the_grid_are_what_was_measured() -> None:
    rows, grid = Store(ROOT / "docs" / "results" / "cifar10").read(), read_grid(ROOT / "benchmarks" / "cifar10.toml")
    told = (ROOT / "docs" / "results" / "cifar10.md").read_text(encoding="utf-8")
    assert told == tables_of(rows, grid), "run: ood benchmark … --tables --markdown docs/results/cifar10.md"


def test_the_readme_points_only_to_what_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_readme_counts_the_scorers_right() -> None:
    (count,) = re.findall(r"(\d+) scores →", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert int(count) == len(scorers)


@pytest.mark.slow
def test_the_python_of_the_readme_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    photo("coffee").picture.save("photo.jpg")
    (tmp_path / "example.py").write_text(code)
    found = runpy.run_path("example.py")
    assert set(found["scores"]) == {"energy", "knn", "vim", "react+msp", "odin"}
    assert (tmp_path / "panel.safetensors").exists()
