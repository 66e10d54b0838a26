from math import sqrt
from typing import Any

import pytest

from oodcore.report import Convention
from oodcore.report.board import OWN, Board, Result, Value, difference, falls

# energy: seeds 1, 2, 3 on near and far; the mean of each seed is 70, 80, 90
SEEDS = {1: (0.60, 0.80), 2: (0.70, 0.90), 3: (0.85, 0.95)}


def result(network: str, seed: int, scorer: str, test: str, auroc: float, n_ood: int = 50) -> Result:
    values = {"auroc": auroc, "fpr95_ood_positive": 1 - auroc}
    return Result(network, seed, f"{network}-{seed}", scorer, test, n_ood, values)


def board(*more: Result, **changes: Any) -> Board:
    results = [
        result("energy", seed, "energy", test, value)
        for seed, pair in SEEDS.items()
        for test, value in zip(("near", "far"), pair, strict=True)
    ]
    start = [result("baseline", 0, "energy", "near", 0.5), result("baseline", 0, "energy", "far", 0.6)]
    about = {"baseline": "baseline", "groups": {"near": "near OOD", "far": "far OOD"}}
    return Board("b", "B", "", "pets", 100, Convention(), (*results, *start, *more), **{**about, **changes})


def test_a_mean_over_sets_is_taken_within_each_seed_and_the_spread_over_seeds() -> None:
    value = board().value("auroc", "energy", "energy", "mean")
    assert value is not None
    assert value.seeds == ((1, pytest.approx(0.7)), (2, pytest.approx(0.8)), (3, pytest.approx(0.9)))
    assert value.mean == pytest.approx(0.8)
    assert value.spread == pytest.approx(0.1)


def test_one_network_has_no_spread() -> None:
    value = board().value("auroc", "baseline", "energy", "near")
    assert value == Value(0.5, None, ((0, 0.5),))


def test_a_seed_that_lacks_a_set_has_no_mean_over_all() -> None:
    value = board(result("energy", 4, "energy", "near", 0.1)).value("auroc", "energy", "energy", "mean")
    assert value is not None
    assert [seed for seed, _ in value.seeds] == [1, 2, 3]
    assert board(result("other", 1, "energy", "near", 0.1)).value("auroc", "other", "energy", "mean") is None


def test_the_single_start_of_all_seeds_adds_no_spread_and_another_single_one_forbids_it() -> None:
    more = [result("single", 1, "energy", test, 0.8) for test in ("near", "far")]
    shown = board(*more)
    change = shown.against("auroc", "energy", "energy", "mean", "baseline")
    assert change is not None
    assert change.mean == pytest.approx(0.25)
    assert change.spread == pytest.approx(0.1)
    assert change.clear is True
    other = shown.against("auroc", "energy", "energy", "mean", "single")
    assert other is not None
    assert (other.spread, other.clear) == (None, None)
    assert shown.against("auroc", "baseline", "energy", "mean", "baseline") is None


def test_the_spread_of_a_difference_holds_both() -> None:
    here, there = Value(0.9, 0.03, ()), Value(0.8, 0.04, ())
    assert difference(here, there).spread == pytest.approx(0.05)
    assert difference(here, there).clear is False
    assert difference(Value(0.9, 0.03, ()), Value(0.8, 0.0, ())).clear is True
    assert difference(here, there).spread == pytest.approx(sqrt(0.03**2 + 0.04**2))


def test_a_set_with_two_sizes_is_two_sets() -> None:
    """Other images, and another OOD share: AUPRs of the two must not meet in one column."""
    shown = board(result("energy", 4, "energy", "near", 0.1, n_ood=40))
    assert set(shown.tests) == {"near (50)", "near (40)", "far"}
    value = shown.value("auroc", "energy", "energy", "near (50)")
    assert value is not None
    assert len(value.seeds) == 3
    assert shown.sizes["near (40)"] == 40
    assert shown.group("near (40)") == "near OOD"


def test_means_of_groups_with_several_sets() -> None:
    more = [result("energy", 1, "energy", name, 0.9) for name in ("farther", "unknown")]
    groups = {"near": "near OOD", "far": "far OOD", "farther": "far OOD"}
    shown = board(*more, groups=groups)
    assert shown.tests == ["near", "far", "farther", "unknown"]
    assert shown.means == {"mean:far OOD": ("far", "farther"), "mean": tuple(shown.tests)}
    assert board().means == {"mean": ("near", "far")}


def test_the_own_score_of_each_network() -> None:
    more = [result("oe", 1, "msp", test, 0.77) for test in ("near", "far")]
    shown = board(*more, own={"energy": "energy", "oe": "msp"})
    assert shown.value("auroc", "oe", OWN, "mean") == shown.value("auroc", "oe", "msp", "mean")
    assert shown.value("auroc", "baseline", OWN, "mean") is None


def test_what_was_measured_again_counts_once_by_the_later_value() -> None:
    value = board(result("energy", 3, "energy", "near", 0.99)).value("auroc", "energy", "energy", "near")
    assert value is not None
    assert value.seeds[-1] == (3, 0.99)
    assert len(value.seeds) == 3


def test_accuracy_over_seeds() -> None:
    shown = board(accuracies={"energy-1": 0.8, "energy-2": 0.9})
    value = shown.accuracy("energy")
    assert value is not None
    assert value.mean == pytest.approx(0.85)
    assert shown.accuracy("baseline") is None
    assert (shown.seeds("energy"), shown.seeds("baseline")) == (3, 1)


def test_the_baseline_stands_first_and_directions_are_known() -> None:
    assert board().networks == ["baseline", "energy"]
    assert [falls(name) for name in ("auroc", "aupr_id_positive", "fpr95_ood_positive", "detection_error")] == [
        False,
        False,
        True,
        True,
    ]
