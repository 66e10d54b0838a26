"""The kind of job that measures checkpoints."""

from pathlib import Path
from typing import Any

import pytest

from oodcore.checkpoint import read_card
from oodcore.errors import CheckpointError, DataError, ScoreError
from oodcore.jobs import RunFolder
from oodcore.jobs.boards import of_evaluation
from oodcore.jobs.kinds import StoppedError
from oodcore.jobs.kinds.evaluate import kept_scores, measured_weights, order_of, work
from oodcore.metrics import auroc

SHIPPED = Path(__file__).parents[3] / "checkpoints"
NAMES = ("shapes-resnet20w4", "shapes-resnet20w4-energy")


def order(*names: str, **changes: Any) -> dict[str, Any]:
    cards = {name: read_card(SHIPPED / name) for name in names or NAMES[:1]}
    asked: dict[str, Any] = {
        "id_set": "shapes",
        "ood_sets": ["shapes-near", "shapes-far"],
        "scorers": ["energy", "msp"],
    }
    return order_of(cards, **(asked | {"limit": 40} | changes))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setenv("OOD_CACHE", str(tmp_path / "cache"))
    (tmp_path / "job").mkdir()
    return RunFolder(tmp_path / "job")


def test_two_checkpoints_on_two_sets(place: RunFolder) -> None:
    asked = order(*NAMES)
    events = list(work(asked, place, root=None))
    steps = [event.step for event in events if event.kind == "progress"]
    assert steps == list(range(7))
    assert {event.values["steps"] for event in events if event.kind == "progress"} == {6}
    board = of_evaluation(place.path / "result", "run", "Mine")
    assert board.networks == list(NAMES)
    assert board.baseline == NAMES[0]
    assert (board.id_set, board.n_id, board.sizes) == ("shapes", 40, {"shapes-near": 40, "shapes-far": 40})
    assert board.scorers == ["energy", "msp"]
    assert "312 steps" in board.budgets[NAMES[1]]
    weights = read_card(SHIPPED / NAMES[1]).sha256["model.safetensors"]
    assert 0.5 < board.accuracies[weights] <= 1
    found = kept_scores(place.path / "result", weights, "shapes", "shapes-far", "energy")
    assert found is not None
    value = board.value("auroc", NAMES[1], "energy", "shapes-far")
    assert value is not None
    assert auroc(*found) == pytest.approx(value.mean)
    assert kept_scores(place.path / "result", weights, "shapes", "shapes-far", "knn") is None
    assert kept_scores(place.path / "result", "other", "shapes", "shapes-far", "energy") is None
    assert measured_weights(place.path / "result") == {each["weights"] for each in asked["checkpoints"]} >= {weights}
    assert measured_weights(place.path) == frozenset()


def test_it_stops_inside_a_pass(place: RunFolder) -> None:
    going = work(order(limit=300), place, root=None)
    next(going)
    place.cancel()
    with pytest.raises(StoppedError):
        list(going)
    assert not (place.path / "result" / "report.json").exists()


def test_without_names_it_takes_every_score_that_needs_no_gradient(place: RunFolder) -> None:
    list(work(order(scorers=(), ood_sets=["shapes-far"], limit=20), place, root=None))
    board = of_evaluation(place.path / "result", "run", "Mine")
    assert "odin" not in board.scorers
    assert {"energy", "knn", "vim"} <= set(board.scorers)


def test_another_rule_is_another_convention(place: RunFolder) -> None:
    list(work(order(rule="nearest", ood_sets=["shapes-far"], limit=20), place, root=None))
    assert of_evaluation(place.path / "result", "run", "Mine").convention.rule == "nearest"


def test_other_weights_never_answer(place: RunFolder) -> None:
    asked = order()
    asked["checkpoints"][0]["weights"] = "0" * 64
    with pytest.raises(CheckpointError, match="was changed after"):
        list(work(asked, place, root=None))


def test_only_sets_of_the_catalogue_are_read(place: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="image set"):
        list(work(order(ood_sets=[str(tmp_path)]), place, root=None))


def test_a_score_that_is_not_fitted_is_told(place: RunFolder) -> None:
    with pytest.raises(ScoreError, match="semantic_energy is fitted"):
        list(work(order(scorers=["semantic_energy"]), place, root=None))


def test_orders_are_the_same_in_any_order_of_words() -> None:
    assert order(*NAMES) == order(*NAMES[::-1], scorers=["msp", "energy"])


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(DataError, match="at least one"):
        order(ood_sets=[])


def test_a_checkpoint_without_fitted_scorers_is_refused() -> None:
    from dataclasses import replace

    bare = replace(read_card(SHIPPED / NAMES[0]), sha256={"model.safetensors": "x"})
    with pytest.raises(CheckpointError, match="ood fit bare --id shapes"):
        order_of({"bare": bare}, "shapes", ["shapes-far"])


def test_a_damaged_result_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"format": "ood-explorer report 1", "rows": []}')
    with pytest.raises(DataError, match="damaged"):
        of_evaluation(tmp_path, "run", "Mine")
