"""Two cards side by side."""

from dataclasses import replace

import pytest

from oodcore.checkpoint import Card, folder_of, read_card
from oodcore.checkpoint.compare import changes, differences, figures, pairs, settings, summary
from oodcore.data.transforms import Preprocessing


def card(lr: float, auroc: float, **about: object) -> Card:
    pair = {"id_set": "a/test", "ood_set": "b/test"}
    metrics = [
        {"name": "accuracy", "value": 0.9, "set": "a/test"},
        {"name": "auroc", "scorer": "energy", "value": auroc, **pair, "interval": {"low": 0.1, "high": 0.9}},
        {"name": "auroc", "scorer": "energy", "value": 0.5, "id_set": "a/test", "ood_set": "c/test"},
        {"name": "auroc", "scorer": "knn", "value": 0.1, **pair},
        {"name": "fpr95_id_positive", "scorer": "energy", "value": 1 - auroc, **pair},
    ]
    recipe = {"title": f"{lr}", "train": {"lr": lr, "epochs": 2}, **about}
    return Card("resnet-8", ("x", "y"), Preprocessing(), recipe=recipe, metrics=metrics, seed=0)


def test_only_what_differs_is_told_and_titles_are_no_setting() -> None:
    assert differences(card(0.1, 0.7), card(0.2, 0.7, extra=1)) == {"train.lr": (0.1, 0.2), "extra": (None, 1)}
    assert differences(card(0.1, 0.7), card(0.1, 0.9)) == {}
    assert settings(card(0.1, 0.7))["preprocessing.coding"] == "lossless"
    dropped = replace(card(0.1, 0.7), options={"dropout": 0.3})
    assert differences(card(0.1, 0.7), dropped) == {"options.dropout": (None, 0.3)}


def test_numbers_are_those_of_one_scorer_with_their_intervals() -> None:
    found = figures(card(0.1, 0.7), "energy")
    assert [one.name for one in found] == ["accuracy", "auroc", "auroc", "fpr95_id_positive"]
    assert found[1].interval == (0.1, 0.9)
    assert (found[1].on, found[1].against) == ("a/test", "b/test")
    assert summary(card(0.1, 0.7)) == (0.9, pytest.approx(0.6), 2)
    assert summary(Card("r", ("x",), Preprocessing())) == (None, None, 0)


def test_a_rise_of_auroc_is_better_and_a_rise_of_the_false_positive_rate_is_worse() -> None:
    found = {(one.name, one.against): one for one in pairs(card(0.1, 0.7), card(0.1, 0.9), "energy")}
    area, rate = found["auroc", "b/test"], found["fpr95_id_positive", "b/test"]
    assert (round(area.change, 6), area.better) == (0.2, "right")
    assert (round(rate.change, 6), rate.better) == (-0.2, "right")
    assert found["accuracy", ""].better == ""
    back = pairs(card(0.1, 0.9), card(0.1, 0.7), "energy")
    assert {one.better for one in back if one.change} == {"left"}


def test_changes_to_a_baseline_are_told_of_the_same_sets_alone() -> None:
    base = card(0.1, 0.7)
    assert changes(base, card(0.1, 0.9)) == (0.0, pytest.approx(0.1))
    fewer = card(0.1, 0.9)
    fewer.metrics.pop(2)
    assert changes(base, fewer) == (0.0, None)
    assert changes(fewer, base) == (0.0, None)
    assert changes(base, Card("r", ("x",), Preprocessing())) == (None, None)


def test_shipped_cards_can_be_compared() -> None:
    base, tuned = (read_card(folder_of(name)) for name in ("shapes-resnet20w4", "shapes-resnet20w4-energy"))
    assert "loss.name" in differences(base, tuned)
    assert {one.against for one in pairs(base, tuned, "energy")} >= {"shapes-near/test", "shapes-far/test"}
