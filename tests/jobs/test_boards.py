from pathlib import Path
from typing import Any

import pytest

from oodcore.checkpoint import Card
from oodcore.data import Preprocessing
from oodcore.jobs import boards
from oodcore.jobs.boards import budget_of, group_of, of_cards, of_store, store_folders
from tests.jobs.test_tables import row

USUAL = {"recall": 0.95, "rule": "first", "interpolation": "step", "pooling": "pooled", "score": "higher is more OOD"}


def entry(scorer: str, ood_set: str, value: float, **changes: Any) -> dict[str, Any]:
    sets = {"id_set": "shapes/test", "ood_set": f"{ood_set}/test", "n_id": 100, "n_ood": 50}
    return {"name": "auroc", "scorer": scorer, "value": value, **sets, "convention": USUAL} | changes


def card(*metrics: dict[str, Any], parent: str | None = None, weights: str = "w", **changes: Any) -> Card:
    closed = {"name": "accuracy", "value": 0.9, "set": "shapes/test", "n": 100}
    return Card(
        "resnet-8-w4", ("a", "b"), Preprocessing(), seed=3, parent=parent, metrics=(closed, *metrics),
        sha256={"model.safetensors": weights}, **changes,
    )  # fmt: skip


def test_rows_of_one_setting_are_one_board_and_other_conventions_another() -> None:
    rows = [
        row("baseline", 0, "energy", "shapes-near", 0.5),
        row("energy", 1, "energy", "shapes-near", 0.7, checkpoint="aa"),
        row("energy", 1, "energy", "shapes-near", 0.8, rule="nearest"),
        row("energy", 1, "energy", "shapes-near", 0.8, setting="tail"),
    ]
    found = of_store(rows, "grid")
    assert [board.title for board in found] == ["even", "even (nearest)", "tail"]
    assert len({board.name for board in found}) == 3
    first = found[0]
    assert first.baseline == "baseline"
    assert first.own == {"baseline": "msp", "energy": "energy"}
    assert first.groups == {"shapes-near": "near OOD, drawn"}
    value = first.value("auroc", "energy", "energy", "shapes-near")
    assert value is not None
    assert value.mean == 0.7
    assert "'grid'" in first.source
    assert first.accuracies["aa"] == 0.9


def test_a_metric_that_a_row_lacks_is_absent() -> None:
    board = of_store([row("energy", 1, "energy", "near", 0.7)], "grid")[0]
    assert board.value("aupr_ood_positive", "energy", "energy", "near") is None
    assert "aupr_ood_positive" not in board.metrics


def test_budgets_tell_steps_batch_and_images() -> None:
    board = of_store([row("energy", 1, "energy", "near", 0.7, images=36000)], "grid")[0]
    assert board.budgets["energy"] == "1,500 steps of 8 + 16 images on 1 thread of cpu (36,000 in all)"


def test_cards_of_one_test_set_are_one_board() -> None:
    cards = {
        "tuned": card(entry("energy", "shapes-near", 0.8), parent="start", weights="1"),
        "start": card(entry("energy", "shapes-near", 0.6), entry("energy", "shapes-far", 0.9), weights="2"),
    }
    (board,) = of_cards(cards)
    assert board.id_set == "shapes"
    assert board.networks == ["start", "tuned"]
    assert board.baseline == "start"
    assert board.tests == ["shapes-near", "shapes-far"]
    accuracy = board.accuracy("tuned")
    assert accuracy is not None
    assert accuracy.seeds == ((3, 0.9),)


def test_weights_whose_results_are_known_are_left_out() -> None:
    cards = {"a": card(entry("energy", "shapes-near", 0.8), weights="1")}
    assert of_cards(cards, {"1"}) == []
    assert len(of_cards(cards, {"2"})) == 1


def test_a_card_with_other_entries_is_read_as_far_as_it_goes() -> None:
    strange = [{"name": "auroc"}, {"scorer": 3}, entry("energy", "shapes-near", 0.7, convention={"rule": "guess"})]
    (board,) = of_cards({"a": card(*strange, entry("energy", "shapes-near", 0.8))})
    assert len(board.results) == 1


def test_cards_under_two_conventions_are_two_boards() -> None:
    nearest = entry("energy", "shapes-near", 0.7, convention=USUAL | {"rule": "nearest"})
    found = of_cards({"a": card(entry("energy", "shapes-near", 0.8), nearest)})
    assert len(found) == 2
    assert [board.convention.rule for board in found] == ["first", "nearest"]


def test_the_budget_of_a_card() -> None:
    recipe = {
        "train": {"batch": 64, "outlier_batch": 128},
        "data": {"outliers": "shapes-aux"},
        "budget": {"steps": 10, "device": "cpu", "threads": 2},
    }
    assert budget_of(card(recipe=recipe)) == "10 steps of 64 + 128 images on 2 threads of cpu (1,920 in all)"
    recipe["data"] = {"outliers": None}
    assert budget_of(card(recipe=recipe)) == "10 steps of 64 images on 2 threads of cpu (640 in all)"
    assert budget_of(card()) == "budget unknown"


def test_groups_are_those_of_the_catalogue() -> None:
    assert group_of("ood-tin25") == "near OOD"
    assert group_of("shapes-far") == "far OOD, drawn"
    assert group_of("shapes") == ""
    assert group_of("somebody's own") == ""


def test_stores_are_found_where_they_ship_and_where_one_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(boards, "PACKAGE", tmp_path / "installed" / "oodcore")
    monkeypatch.delenv("OOD_RESULTS", raising=False)
    assert store_folders() == []
    for place in ("installed/oodcore/_results/shipped", "mine/grid", "results/here", "mine/empty"):
        (tmp_path / place).mkdir(parents=True)
        if "empty" not in place:
            (tmp_path / place / "cell.parquet").touch()
    monkeypatch.setenv("OOD_RESULTS", str(tmp_path / "mine"))
    assert [folder.name for folder in store_folders()] == ["shipped", "grid", "here"]
    (tmp_path / "installed" / "docs" / "results" / "source").mkdir(parents=True)
    (tmp_path / "installed" / "docs" / "results" / "source" / "cell.parquet").touch()
    assert [folder.name for folder in store_folders()] == ["source", "grid", "here"]
