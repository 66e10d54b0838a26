import inspect

import numpy as np
import pytest

from oodcore.errors import ScoreError
from oodcore.metrics import aupr, auroc, detection_error, fpr_at_recall, levels, ood_metrics, ranking

RNG = np.random.default_rng(0)
ID, OOD = np.r_[RNG.normal(0, 1, 800), RNG.normal(4, 2, 100)].round(1), RNG.normal(3, 1, 2600).round(1)


def test_the_values_are_those_of_the_single_functions() -> None:
    found = ood_metrics(ID, OOD)
    assert found["auroc"] == auroc(ID, OOD)
    assert found["aupr_ood_positive"] == aupr(ID, OOD, positive="ood")
    assert found["aupr_id_positive"] == aupr(ID, OOD, positive="id")
    assert found["fpr95_ood_positive"] == fpr_at_recall(ID, OOD, positive="ood")
    assert found["fpr95_id_positive"] == fpr_at_recall(ID, OOD, positive="id")
    assert found["detection_error"] == detection_error(ID, OOD)


def test_both_conventions_stand_side_by_side_and_differ_widely() -> None:
    found = ood_metrics(ID, OOD)
    assert float(found["fpr95_ood_positive"]) < 0.3
    assert float(found["fpr95_id_positive"]) > 0.5


def test_flagging_is_of_id_and_passing_is_of_ood() -> None:
    """Three of four ID pictures look like outliers; every OOD picture does."""
    found = ood_metrics(np.array([0.0, 5, 5, 5]), np.array([5.0] * 4 + [9.0] * 6))
    assert found["fpr95_ood_positive"] == 0.75
    assert found["fpr95_id_positive"] == 0.4


def test_the_convention_is_written_down() -> None:
    found = ood_metrics(ID, OOD, recall=0.9, rule="nearest", interpolation="trapezoid")
    assert found["rule"] == "nearest"
    assert found["interpolation"] == "trapezoid"
    assert found["recall"] == 0.9
    assert found["pooling"] == "pooled"
    assert found["score"] == "higher is more OOD"
    assert (found["n_id"], found["n_ood"]) == (900, 2600)
    assert found["ood_share"] == pytest.approx(2600 / 3500)
    assert "fpr90_ood_positive" in found
    assert "fpr95_ood_positive" not in found


def test_options_reach_the_values() -> None:
    found = ood_metrics(ID, OOD, recall=0.8, rule="nearest", interpolation="trapezoid")
    assert found["fpr80_id_positive"] == fpr_at_recall(ID, OOD, 0.8, "id", "nearest")
    assert found["aupr_id_positive"] == aupr(ID, OOD, "id", "trapezoid")


def test_unknown_options_are_refused_in_a_sentence() -> None:
    """Past the type checker that guards calls in these tests."""
    points = levels.curve(levels.count_levels(ID, OOD), "ood")
    with pytest.raises(ScoreError, match="'ood' or 'id'"):
        inspect.unwrap(levels.curve)(levels.count_levels(ID, OOD), "both")
    with pytest.raises(ScoreError, match="'first' or 'nearest'"):
        inspect.unwrap(ranking.false_alarms)(points, 0.95, "last")
    with pytest.raises(ScoreError, match="'step' or 'trapezoid'"):
        inspect.unwrap(ranking.average_precision)(points, "spline")
