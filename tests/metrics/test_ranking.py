"""Rank metrics against independent counting, where four of six established codes err."""

import importlib.util
import itertools
import math
import os
import time
import warnings
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oodcore.errors import ScoreError
from oodcore.metrics import aupr, auroc, detection_error, fpr_at_recall

ID = np.array([-9.0, -8, -7, -6, -5, -5, -4, -3, -2, -1])
OOD = np.array([-6.5, -5, -4.5, -3, -2.5, -1.5, -0.5, 0])


def reference(inside: np.ndarray, ood: np.ndarray) -> dict[str, float]:
    """Whole numbers and fractions, threshold by threshold, straight from the definitions."""
    wins = sum(2 * int(a > b) + int(a == b) for a, b in itertools.product(ood.tolist(), inside.tolist()))
    found = {"auroc": float(Fraction(wins, 2 * len(ood) * len(inside)))}
    for name, pos, neg in (("ood", ood, inside), ("id", -inside, -ood)):
        points = []
        for threshold in sorted({*pos.tolist(), *neg.tolist()}, reverse=True):
            points.append((int((pos >= threshold).sum()), int((neg >= threshold).sum())))
        needed = math.ceil(Fraction(95 * len(pos), 100))
        found[f"fpr_{name}"] = next(fp for tp, fp in points if tp >= needed) / len(neg)
        step = trapezoid = Fraction(0)
        before, precision_before = 0, Fraction(1)
        for tp, fp in points:
            precision = Fraction(tp, tp + fp)
            step += Fraction(tp - before, len(pos)) * precision
            trapezoid += Fraction(tp - before, len(pos)) * (precision + precision_before) / 2
            before, precision_before = tp, precision
        found[f"step_{name}"], found[f"trapezoid_{name}"] = float(step), float(trapezoid)
        flags = [(0, 0), *points]
        found["error"] = float(min(Fraction(len(pos) - tp, len(pos)) + Fraction(fp, len(neg)) for tp, fp in flags) / 2)
    return found


def ours(inside: Any, ood: Any) -> dict[str, float]:
    return {
        "auroc": auroc(inside, ood),
        "error": detection_error(inside, ood),
        "fpr_ood": fpr_at_recall(inside, ood),
        "fpr_id": fpr_at_recall(inside, ood, positive="id"),
        "step_ood": aupr(inside, ood),
        "step_id": aupr(inside, ood, positive="id"),
        "trapezoid_ood": aupr(inside, ood, interpolation="trapezoid"),
        "trapezoid_id": aupr(inside, ood, positive="id", interpolation="trapezoid"),
    }


def tied_sets() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(3)
    levels = [2, 3, 5, 9, 40, 1000]
    sizes = [(1, 1), (1, 20), (20, 1), (7, 19), (20, 20), (40, 100)]
    return [
        (rng.integers(0, k, n).astype(float), rng.integers(0, k, m) + rng.integers(0, 2) * 1.0)
        for k, (n, m) in itertools.product(levels, sizes)
    ]


def score_sets() -> ModuleType | None:
    path = Path(__file__).resolve().parents[3] / "shared" / "methods" / "score_sets.py"
    if not path.exists():
        return None
    spec = importlib.util.spec_from_file_location("score_sets", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


scores_in_fours = st.lists(st.integers(-20, 20).map(lambda i: i / 4), min_size=1, max_size=40).map(np.array)


@pytest.mark.parametrize(("inside", "ood"), tied_sets())
def test_every_metric_equals_counting_by_hand(inside: np.ndarray, ood: np.ndarray) -> None:
    assert ours(inside, ood) == pytest.approx(reference(inside, ood), abs=1e-15, rel=1e-14)


def test_every_published_tie_heavy_score_set_is_exact() -> None:
    module = score_sets()
    if module is None:
        leave = pytest.fail if os.environ.get("OOD_REQUIRE_DATA") else pytest.skip
        leave("the generator of the tie-heavy score sets lies beside the repository, not in it")
    names = {"aupr_trap_": "trapezoid_", "ap_": "step_", "fpr95_": "fpr_"}
    for name, inside, ood in module.cases():
        got = ours(inside, ood)
        for key, value in module.exact(inside, ood).items():
            theirs = key.removesuffix("ood").removesuffix("id")
            mine = names.get(theirs, theirs) + key.removeprefix(theirs)
            assert got[mine] == pytest.approx(value, abs=1e-14), (name, key)


@pytest.mark.parametrize(
    ("inside", "ood", "expected"),
    [
        (np.zeros(500), np.zeros(500), (0.5, 1.0, 1.0, 0.5, 0.75)),
        (
            np.repeat([8.0, 7, 6, 5, 1], [10, 10, 10, 10, 60]),
            np.repeat([9.0, 8, 7, 6, 5], [84, 4, 4, 4, 4]),
            (0.968, 0.3, 0.16, 0.9678231292517007, 0.9735374149659863),
        ),
    ],
    ids=["all scores equal", "equal steps, which scikit-learn's roc_curve drops"],
)
def test_literal_values_of_two_tied_sets(inside: np.ndarray, ood: np.ndarray, expected: tuple[float, ...]) -> None:
    got = ours(inside, ood)
    values = [got[key] for key in ("auroc", "fpr_ood", "fpr_id", "step_ood", "trapezoid_ood")]
    assert values == pytest.approx(expected, abs=1e-14)


def test_literal_values_of_a_drawn_set_with_ten_levels() -> None:
    rng = np.random.default_rng(0)
    for size in (9000, 9000, 8000, 1000, 26032, 90000, 90000, 9000, 9000, 30, 30):
        rng.normal(size=size)
    inside, ood = rng.integers(0, 8, 1000).astype(float), rng.integers(2, 10, 1000).astype(float)
    got = ours(inside, ood)
    assert got["auroc"] == 0.715407
    assert got["fpr_ood"] == 0.747
    assert got["fpr_id"] == 0.766
    assert got["step_ood"] == pytest.approx(0.7171512036006203, abs=1e-14)


def test_two_ways_of_fpr_and_aupr_on_the_worked_example() -> None:
    assert auroc(ID, OOD) == 0.73125
    assert aupr(ID, OOD) == pytest.approx(0.714183, abs=1e-6)
    assert aupr(ID, OOD, positive="id") == pytest.approx(0.793452, abs=1e-6)
    assert fpr_at_recall(ID, OOD, rule="nearest") == pytest.approx(0.7)
    assert fpr_at_recall(ID, OOD, positive="id", rule="nearest") == pytest.approx(0.75), "recall 0.9, by rounding"
    assert fpr_at_recall(ID, OOD, positive="id", rule="first") == pytest.approx(0.75)


def test_dense_worked_example() -> None:
    scores = np.array([0.9, 0.8, 0.8, 0.7, 0.6, 0.5, 0.5, 0.4, 0.2, 0.1])
    truth = np.array([1, 1, 0, 1, 0, 0, 1, 0, 0, 0], dtype=bool)
    inside, ood = scores[~truth], scores[truth]
    assert aupr(inside, ood) == pytest.approx(0.747024, abs=1e-6)
    assert aupr(inside, ood, interpolation="trapezoid") == pytest.approx(0.781845, abs=1e-6)
    assert auroc(inside, ood) == pytest.approx(0.833333, abs=1e-6)
    assert fpr_at_recall(inside, ood) == fpr_at_recall(inside, ood, rule="nearest") == 0.5


def test_the_rules_differ_where_a_recall_is_reached_exactly() -> None:
    ood, inside = np.arange(1.0, 21), np.array([19.5, 10.5, 2.5, 1.5, 0.5])
    assert aupr(inside, ood) == pytest.approx(0.859402, abs=1e-6)
    assert auroc(inside, ood) == pytest.approx(0.68)
    assert fpr_at_recall(inside, ood, rule="first") == pytest.approx(0.6)
    assert fpr_at_recall(inside, ood, rule="nearest") == pytest.approx(0.8)


def test_sampled_boxes_of_the_detection_example() -> None:
    boxes, unknown = -np.arange(1.0, 21), -np.array([0.5, 1.5, 2.5, 10.5])
    assert fpr_at_recall(boxes, unknown, positive="id") == 0.5
    assert auroc(boxes, unknown) == 0.8375


def hendrycks(pos: np.ndarray, neg: np.ndarray, recall: float) -> float:
    """The nearest-recall rule, written down step by step as the method notes state it."""
    points = []
    for threshold in sorted({*pos.tolist(), *neg.tolist()}, reverse=True):
        points.append((float((pos >= threshold).sum()) / len(pos), int((neg >= threshold).sum())))
        if points[-1][0] == 1:
            break
    best = points[-1]
    for point in reversed(points):
        if abs(point[0] - recall) < abs(best[0] - recall):
            best = point
    return best[1] / len(neg)


@pytest.mark.parametrize("recall", [0.5, 0.8, 0.95, 1.0])
@pytest.mark.parametrize(("inside", "ood"), tied_sets()[::3])
def test_nearest_rule_step_by_step(inside: np.ndarray, ood: np.ndarray, recall: float) -> None:
    assert fpr_at_recall(inside, ood, recall, rule="nearest") == hendrycks(ood, inside, recall)
    assert fpr_at_recall(inside, ood, recall, "id", "nearest") == hendrycks(-inside, -ood, recall)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3, 0.55, 0.57, 0.95, 0.99, 1.0])
def test_first_rule_counts_in_whole_numbers(share: float) -> None:
    """`np.ceil(0.55 * 20)` is 12; the eleventh positive already makes 55 %."""
    for n in (20, 100, 300):
        ood = np.arange(n, dtype=float)
        needed = math.ceil(Fraction(str(share)) * n)
        inside = np.array([n - needed - 0.5, -9.0])  # just below the threshold, so it stays outside
        assert fpr_at_recall(inside, ood, share) == 0
        assert fpr_at_recall(inside + 0.5, ood, share) == 0.5


def test_scikit_learn_agrees_on_area_and_average_precision() -> None:
    from sklearn.metrics import average_precision_score, roc_auc_score

    rng = np.random.default_rng(1)
    for inside, ood in [*tied_sets(), (rng.normal(size=3000), rng.normal(1, 2, 700))]:
        scores, truth = np.concatenate([inside, ood]), np.repeat([0, 1], [len(inside), len(ood)])
        assert auroc(inside, ood) == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
        assert aupr(inside, ood) == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
        assert aupr(inside, ood, positive="id") == pytest.approx(average_precision_score(1 - truth, -scores), abs=1e-12)


def test_pytorch_ood_agrees_where_it_is_right() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pytorch_ood.metrics import OODMetrics

        rng = np.random.default_rng(2)
        inside, ood = rng.normal(size=500).round(1), rng.normal(2, 1, 400).round(1)
        theirs = OODMetrics()
        theirs.update(torch.tensor(np.concatenate([inside, ood])), torch.tensor([1] * 500 + [-1] * 400))
        found = theirs.compute()
    assert found["AUROC"] == pytest.approx(auroc(inside, ood), abs=1e-6)
    assert found["FPR95TPR"] == pytest.approx(fpr_at_recall(inside, ood), abs=1e-6)
    assert found["AUPR-OUT"] == pytest.approx(aupr(inside, ood, interpolation="trapezoid"), abs=1e-6)
    assert found["AUPR-IN"] == pytest.approx(aupr(inside, ood, "id", "trapezoid"), abs=1e-6)


def test_a_sigmoid_on_scores_as_torchmetrics_applies_it_would_lose_everything() -> None:
    rng = np.random.default_rng(0)
    inside, ood = rng.normal(300, 35, 2000), rng.normal(420, 65, 2000)
    flattened = auroc(1 / (1 + np.exp(-inside)), 1 / (1 + np.exp(-ood)))
    assert flattened == pytest.approx(0.5, abs=1e-3)
    assert auroc(inside, ood) > 0.9


@settings(max_examples=30, deadline=None)
@given(inside=scores_in_fours, ood=scores_in_fours)
def test_only_the_order_of_the_scores_matters(inside: np.ndarray, ood: np.ndarray) -> None:
    expected = ours(inside, ood)
    for change in (lambda s: s + 300, lambda s: s * 1e6, lambda s: 1e-6 * s - 7, lambda s: s**3, np.exp):
        assert ours(change(inside), change(ood)) == expected


@settings(max_examples=30, deadline=None)
@given(inside=scores_in_fours, ood=scores_in_fours)
def test_negated_and_swapped_scores_swap_the_conventions(inside: np.ndarray, ood: np.ndarray) -> None:
    here, there = ours(inside, ood), ours(-ood, -inside)
    assert there["auroc"] == here["auroc"]
    assert there["error"] == here["error"]
    for kind in ("fpr", "step", "trapezoid"):
        assert there[f"{kind}_id"] == here[f"{kind}_ood"]
        assert there[f"{kind}_ood"] == here[f"{kind}_id"]
    assert auroc(ood, inside) == pytest.approx(1 - here["auroc"], abs=1e-15)


@settings(max_examples=30, deadline=None)
@given(inside=scores_in_fours, ood=scores_in_fours, times=st.integers(2, 4), seed=st.integers(0, 99))
def test_tiling_and_shuffling_change_nothing(inside: np.ndarray, ood: np.ndarray, times: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    changed = ours(rng.permutation(np.tile(inside, times)), rng.permutation(np.tile(ood, times)))
    again = ours(inside, ood)
    for name in ("fpr_ood", "fpr_id"):  # ceil(0.95 n) is no multiple: more copies may allow a stricter threshold
        assert changed.pop(name) <= again.pop(name)
    assert changed == again


@settings(max_examples=30, deadline=None)
@given(inside=scores_in_fours, ood=scores_in_fours)
def test_a_recall_that_is_reached_exactly_survives_tiling(inside: np.ndarray, ood: np.ndarray) -> None:
    for positive in ("ood", "id"):
        assert fpr_at_recall(inside, ood, 1.0, positive) == fpr_at_recall(
            np.tile(inside, 3), np.tile(ood, 3), 1.0, positive
        )


@settings(max_examples=30, deadline=None)
@given(inside=scores_in_fours, ood=scores_in_fours)
def test_more_recall_never_costs_fewer_false_alarms(inside: np.ndarray, ood: np.ndarray) -> None:
    rates = [fpr_at_recall(inside, ood, recall) for recall in (0.1, 0.5, 0.8, 0.95, 1.0)]
    assert rates == sorted(rates)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.int64])
def test_tensors_of_every_kind_are_ranked_as_they_are(kind: torch.dtype) -> None:
    inside, ood = torch.randint(0, 8, (50,)).to(kind), torch.randint(2, 10, (40,)).to(kind)
    assert ours(inside, ood) == ours(inside.double().numpy(), ood.double().numpy())


def test_scores_that_still_carry_a_gradient_and_plain_lists_are_welcome() -> None:
    assert auroc(torch.tensor([0.0, 1], requires_grad=True), [2.0, 3.0]) == 1.0


def test_zeros_of_either_sign_tie() -> None:
    assert auroc(np.array([0.0]), np.array([-0.0])) == 0.5


@pytest.mark.parametrize(
    ("scores", "sentence"),
    [
        (np.array([]), "empty"),
        (np.array([1.0, np.nan, np.inf]), "2 of 3 values"),
        (np.array([True, False]), "real numbers"),
        (np.array(["a"]), "real numbers"),
        (np.array([1j]), "real numbers"),
        (np.zeros((3, 1)), r"shape \(n,\); got shape \(3, 1\)"),
        (np.array(1.0), r"got shape \(\)"),
        (torch.tensor([float("nan")]), "1 of 1 values"),
    ],
)
def test_what_has_no_rank_is_told_in_a_sentence(scores: Any, sentence: str) -> None:
    for metric in (auroc, aupr, fpr_at_recall, detection_error):
        with pytest.raises(ScoreError, match=sentence):
            metric(scores, OOD)
        with pytest.raises(ScoreError, match=sentence):
            metric(ID, scores)


@pytest.mark.parametrize("recall", [0, -0.1, 1.01, float("nan")])
def test_an_impossible_recall_is_refused(recall: float) -> None:
    for rule in ("first", "nearest"):
        with pytest.raises(ScoreError, match="above 0 and at most at 1"):
            fpr_at_recall(ID, OOD, recall, rule=rule)


def test_a_million_scores_take_about_a_second() -> None:
    rng = np.random.default_rng(0)
    inside, ood = rng.normal(size=500_000), rng.normal(1, 1, 500_000)
    start = time.process_time()
    auroc(inside, ood)
    assert time.process_time() - start < 1.5


@pytest.mark.gpu
def test_scores_on_the_gpu_give_the_same_numbers() -> None:
    inside, ood = torch.randn(500), torch.randn(400) + 1
    assert ours(inside.cuda(), ood.cuda()) == ours(inside, ood)
