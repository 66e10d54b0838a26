import re
import runpy
from itertools import takewhile
from pathlib import Path
from statistics import fmean, stdev

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


METHODS = {
    "outlier exposure": "outlier-exposure",
    "control, α = 10": "energy-control",
    "balanced energy, α = 10": "balanced-energy",
    "control, α scaled": "energy-control-scaled",
    "balanced energy, α scaled": "balanced-energy-scaled",
    "semantic energy": "semantic-energy",
    "semantic energy without the pull": "semantic-energy-nopull",
    "semantic energy without the push": "semantic-energy-nopush",
}
ORDER = ["baseline", "outlier-exposure", "energy", *list(METHODS.values())[1:]]
COLUMNS = {
    "energy: AUROC": "auroc",
    "FPR95 (ID positive)": "fpr95_id_positive",
    "FPR95 (OOD positive)": "fpr95_ood_positive",
    "own score: AUROC": "auroc",
    "accuracy": "accuracy",
    "few-shot classes": "accuracy_few",
    "logit-adjusted": "accuracy_adjusted",
}


@pytest.mark.parametrize(("title", "setting"), [("CIFAR-10", "cifar10"), ("long-tailed CIFAR-10", "cifar10-lt")])
def test_the_summary_of_the_grid_is_what_was_measured(title: str, setting: str) -> None:
    rows = [row for row in Store(ROOT / "docs" / "results" / "cifar10").read() if row["setting"] == setting]
    lines = (ROOT / "docs" / "results.md").read_text(encoding="utf-8").splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"| {title} | energy: AUROC"))
    head, *told = [
        [part.strip() for part in line.strip("|").split("|")]
        for line in takewhile(lambda line: line.startswith("|"), lines[start:])
        if not line.startswith("|---")
    ]
    assert [METHODS.get(line[0], line[0]) for line in told] == list(dict.fromkeys(
        row["method"] for row in sorted(rows, key=lambda row: ORDER.index(row["method"]))
    ))  # fmt: skip
    for name, *cells in told:
        for column, cell in zip(head[1:], cells, strict=True):
            own = re.search(r"\((\w+)\)", cell)
            scorer, metric = own[1] if own else "energy", COLUMNS[column]
            by_seed: dict[int, list[float]] = {}
            for row in rows:
                if (row["method"], row["scorer"]) == (METHODS.get(name, name), scorer):
                    by_seed.setdefault(row["seed"], []).append(100 * row[metric])
            values = [fmean(found) for found in by_seed.values()]
            wanted = [fmean(values), *([stdev(values)] if len(values) > 1 else [])]
            digits = len(cell.split()[0].partition(".")[2])
            assert [float(number) for number in re.findall(r"[\d.]+(?= |$)", cell)] == pytest.approx(
                wanted, abs=0.51 * 10**-digits
            ), (name, column)


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
