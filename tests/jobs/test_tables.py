import re
from typing import Any

import pytest

from oodcore.errors import DataError
from oodcore.jobs.grid import Grid, Method, Setting
from oodcore.jobs.store import COLUMNS
from oodcore.jobs.tables import tables_of

GRID = Grid(
    "Small",
    (Setting("even", "base", "pets", ("near", "far")), Setting("tail", "base-lt", "pets", ("near",))),
    (Method("energy"), Method("sde", score="semantic_energy")),
    (1, 2),
)


def row(method: str, seed: int, scorer: str, ood_set: str, auroc: float, **changes: Any) -> dict[str, Any]:
    blank: dict[str, Any] = {"string": "", "int64": 0, "float64": None}
    own = {"baseline": "msp", "energy": "energy", "sde": "semantic_energy"}[method]
    about = {"setting": "even", "id_set": "pets", "n_id": 100, "n_ood": 50, "accuracy": 0.9, "own_score": own}
    how = {"recall": 0.95, "rule": "first", "interpolation": "step", "pooling": "pooled", "score": "higher"}
    budget = {"steps": 1500, "batch": 8, "outlier_batch": 0 if method == "baseline" else 16, "threads": 1}
    values = {"auroc": auroc, "fpr95_ood_positive": 1 - auroc, "fpr95_id_positive": (1 - auroc) / 2, "device": "cpu"}
    names = {"method": method, "seed": seed, "scorer": scorer, "ood_set": ood_set}
    return {name: blank[kind] for name, kind in COLUMNS.items()} | about | how | budget | values | names | changes


ROWS = [
    row("baseline", 0, "energy", "near", 0.60),
    row("baseline", 0, "energy", "far", 0.80),
    row("baseline", 0, "msp", "near", 0.50),
    row("baseline", 0, "msp", "far", 0.54),
    row("energy", 1, "energy", "near", 0.80),
    row("energy", 1, "energy", "far", 0.90),
    row("energy", 2, "energy", "near", 0.90, accuracy=0.92),
    row("energy", 2, "energy", "far", 0.94, accuracy=0.92),
    row("sde", 1, "energy", "near", 0.70),
    row("sde", 1, "semantic_energy", "near", 0.99),
]


def section(text: str, title: str) -> str:
    found = re.search(rf"^### {title}.*?(?=^###? |\Z)", text, re.M | re.S)
    assert found is not None, text
    return found.group()


def lines(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_means_over_sets_and_their_spread_over_seeds_stand_above_every_seed() -> None:
    table = lines(section(tables_of(ROWS, GRID), "Energy score, mean"))
    assert table[0][3:] == ["AUROC", "FPR95 (OOD positive, first)", "FPR95 (ID positive, first)", "Accuracy"]
    assert table[2] == ["baseline", "energy", "0", "70.00", "30.00", "15.00", "90.00"]
    # seeds at 85 and 92: mean 88.5, deviation 7/√2
    assert table[3][:4] == ["**energy**", "**energy**", "", "88.50 ± 4.95"]
    assert table[3][-1] == "91.00 ± 1.41"
    assert [line[2:4] for line in table[4:6]] == [["1", "85.00"], ["2", "92.00"]]


def test_each_method_is_also_read_by_the_score_that_it_was_made_for() -> None:
    table = lines(section(tables_of(ROWS, GRID), "Each method's own score"))
    scorers = {line[0].strip("*"): line[1].strip("*") for line in table[2:]}
    assert scorers == {"baseline": "msp", "energy": "energy", "sde (1 of 2 sets)": "semantic_energy"}


def test_every_table_states_the_budget() -> None:
    text = tables_of(ROWS, GRID)
    assert text.count("\n### ") == text.count("\nBudget: ") == 6
    assert "baseline: 1,500 steps of 8 images on 1 thread of cpu; energy, sde: 1,500 steps of 8 + 16 images" in text


def test_sets_stand_side_by_side_and_what_was_not_measured_stays_empty() -> None:
    table = lines(section(tables_of(ROWS, GRID), "Energy score, AUROC by set"))
    assert table[0] == ["Method", "Seed", "near", "far"]
    assert table[-1] == ["sde", "1", "70.00", ""]


def test_conventions_never_share_a_table() -> None:
    other = [{**each, "rule": "nearest", "auroc": 0.123} for each in ROWS]
    text = tables_of([*ROWS, *other], GRID)
    for block in re.split(r"^### ", text, flags=re.M):
        assert not ("first)" in block and "nearest)" in block)
        assert not ("12.30" in block and "70.00" in block)
    assert text.count("## even") == 2


def test_long_tails_are_told_by_frequency() -> None:
    tail = {"setting": "tail", "accuracy_many": 0.95, "accuracy_medium": 0.7, "accuracy_few": 0.2}
    rows = [*ROWS, row("energy", 1, "energy", "near", 0.8, accuracy_adjusted=0.75, **tail)]
    text = tables_of(rows, GRID)
    table = lines(section(text.split("## tail")[1], "Accuracy by frequency"))
    assert table[0] == ["Method", "Seed", "Accuracy", "many", "medium", "few", "Adjusted", "many", "medium", "few"]
    assert table[2] == ["energy", "1", "90.00", "95.00", "70.00", "20.00", "75.00", "", "", ""]
    assert "frequency" not in text.split("## tail")[0]


def test_scorers_are_compared_over_methods_with_seeds_counting_the_same() -> None:
    extra = row("energy", 2, "energy", "further", 0.98)  # the second seed has one set more
    table = lines(section(tables_of([*ROWS, extra], GRID), "Every scorer"))
    assert table[0] == ["Scorer", "Seed", "baseline", "energy", "sde"]
    cells = next(line for line in table if line[0] == "**energy**")
    means = (0.8 + 0.9) / 2, (0.9 + 0.94 + 0.98) / 3
    assert cells[3] == f"{100 * sum(means) / 2:.2f} ± {100 * (means[1] - means[0]) / 2**0.5:.2f}"
    each = {line[1]: line[2:] for line in table if line[0] == "energy"}
    assert each["1"] == ["", "85.00", "70.00"]
    assert each["0"] == ["70.00", "", ""]
    assert next(line for line in table if line[0] == "**msp**")[3] == ""


def test_a_scorer_of_the_first_seed_alone_says_so() -> None:
    table = lines(section(tables_of([*ROWS, row("energy", 1, "odin", "near", 0.9)], GRID), "Every scorer"))
    assert next(line for line in table if line[0] == "**odin**")[3] == "90.00 (1 of 2 seeds)"


def test_seeds_with_other_budgets_are_told_apart_and_other_recipes_refused() -> None:
    longer = [{**each, "threads": 2} if each["seed"] == 2 else each for each in ROWS]
    text = tables_of(longer, GRID)
    assert "energy (seed 1), sde: 1,500 steps of 8 + 16 images on 1 thread of cpu; energy (seed 2): 1,500" in text
    asked = '{"train": {"seed": %d, "lr": %s}}'
    same = [{**each, "experiment": asked % (each["seed"], 0.1)} for each in ROWS]
    assert tables_of(same, GRID)
    other = [{**each, "experiment": asked % (each["seed"], 0.1 * each["seed"])} for each in ROWS]
    with pytest.raises(DataError, match="seeds of 'energy' in 'even' were trained by different recipes"):
        tables_of(other, GRID)


def test_seeds_that_the_grid_does_not_name_are_left_out() -> None:
    table = lines(section(tables_of([*ROWS, row("energy", 9, "energy", "near", 0.1)], GRID), "Energy score, mean"))
    assert [line[2] for line in table if line[0] == "energy"] == ["1", "2"]


def test_a_mean_over_fewer_sets_says_so() -> None:
    table = lines(section(tables_of(ROWS, GRID), "Energy score, mean"))
    assert [line[0] for line in table[2:]][-1] == "sde (1 of 2 sets)"
