"""Numbers in a link."""

from typing import Any, Literal

import pytest

from app.services.changed import applied, written

HINTS = {
    "train": {"lr": float, "steps": int | None, "flip": bool, "batch_norm": Literal["joint", "frozen"]},
    "loss": {"weight": float, "margin_in": float, "margin_out": float},
    "margins": {"inside": float, "outside": float, "alpha_gap": float | None},
}
DEFAULTS = {"train": {"flip": True}, "loss": {"margin_in": -23.0, "margin_out": -5.0}}


def experiment() -> dict[str, Any]:
    return {
        "train": {"lr": 0.1, "steps": 60, "batch_norm": "joint"},
        "loss": {"weight": 0.1},
        "margins": {"inside": 25.0, "outside": 75.0},
    }


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"train": {"lr": 0.5, "steps": 6, "batch_norm": "frozen", "flip": False}},
        {"loss": {"weight": 0.3}, "margins": {"inside": 30.0, "outside": 75.0}},
        {"loss": {"weight": 0.1, "margin_in": -23.0, "margin_out": -5.0}, "margins": None},
    ],
)
def test_what_was_written_is_read_again(change: dict[str, Any]) -> None:
    wanted = experiment() | change
    text = written(experiment(), wanted, DEFAULTS)
    assert (text == "") == (not change)
    found = experiment()
    assert applied(text, found, HINTS) == []
    assert found["margins"] == wanted["margins"]
    assert all(found[table].items() >= wanted[table].items() for table in ("train", "loss"))


def test_defaults_that_were_only_filled_in_are_no_change() -> None:
    wanted = experiment()
    wanted["train"]["flip"] = True
    assert written(experiment(), wanted, DEFAULTS) == ""


@pytest.mark.parametrize(
    "part",
    [
        "train.lr:true", "train.lr:Infinity", "train.lr:1e999", "train.lr:", "train.lr", "train.flip:1",
        "train.steps:-1", "train.steps:1.5", "train.batch_norm:\"magic\"", "data.outliers:\"x\"", "train.magic:1",
        "loss.weight:null", "margins.inside:500", "margins.outside:-1", "margins.inside:100.5", "x" * 3000, "[" * 900,
        f"train.lr:1{'0' * 400}", "train.lr:NaN",
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_and_changes_nothing(part: str) -> None:
    found = experiment()
    assert len(applied(part, found, HINTS)) == 1
    assert found == experiment()


def test_a_rule_for_margins_is_left_to_losses_that_have_them() -> None:
    found = experiment() | {"margins": None}
    without = HINTS | {"loss": {"weight": float}}
    assert applied("margins.inside:10,loss.weight:0.3", found, without) == ["margins.inside:10"]
    assert (found["margins"], found["loss"]["weight"]) == (None, 0.3)
    assert applied("margins.alpha_gap:18", found, HINTS) == ["margins.alpha_gap:18"]
    assert applied("margins.alpha_gap:18", found, HINTS | {"loss": {"margin_in": float, "alpha": float}}) == []
    assert found["margins"]["alpha_gap"] == 18
