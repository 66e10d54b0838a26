import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom, binom

from oodcore.errors import ScoreError
from oodcore.thresholds import Calibration, rows_needed

ACCEPTANCES = (0.5, 0.8, 0.9, 0.95, 0.99)
quarters = st.lists(st.integers(-12, 12).map(lambda i: i / 4), min_size=20, max_size=80)


def test_scores_are_kept_sorted_and_in_double_precision() -> None:
    kept = Calibration(torch.tensor([3.0, 1, 2], dtype=torch.float16)).scores
    assert kept.dtype == torch.float64
    assert kept.tolist() == [1, 2, 3]


def test_nineteen_scores_carry_the_threshold_for_95_percent_and_it_is_their_largest() -> None:
    assert Calibration(np.arange(19.0)).threshold(0.95) == 18
    assert Calibration(np.arange(39.0)).threshold(0.95) == 37
    assert Calibration(np.arange(1000.0)).threshold(0.95) == 950
    assert Calibration(np.arange(99.0)).threshold(0.9) == 89


def test_eighteen_scores_are_too_few_and_the_sentence_counts_them() -> None:
    with pytest.raises(ScoreError, match=r"0\.95 of ID needs at least 19 calibration scores; there are 18"):
        Calibration(np.arange(18.0)).threshold(0.95)


@pytest.mark.parametrize(("acceptance", "rows"), [(0.5, 1), (0.9, 9), (0.95, 19), (0.99, 99), (0.999, 999), (0.05, 1)])
def test_the_rows_that_are_asked_for_suffice_and_one_fewer_does_not(acceptance: float, rows: int) -> None:
    assert rows_needed(acceptance) == rows
    Calibration(np.arange(float(rows))).threshold(acceptance)
    if rows > 1:
        with pytest.raises(ScoreError, match=f"at least {rows} "):
            Calibration(np.arange(float(rows - 1))).threshold(acceptance)


@pytest.mark.parametrize(
    ("n", "acceptance"),
    [(n, share) for n in (19, 20, 57, 200) for share in ACCEPTANCES if n * (1 - share) >= share - 1e-9],
)
def test_one_score_more_is_rejected_in_at_most_the_promised_share_of_all_orders(n: int, acceptance: float) -> None:
    """Leave each of n + 1 ranks out in turn: exactly what exchangeability averages over."""
    every = np.arange(n + 1.0)
    rejected = sum(every[i] > Calibration(np.delete(every, i)).threshold(acceptance) for i in range(n + 1))
    assert rejected == math.floor((n + 1) * (1 - acceptance) + 1e-9)


def test_realised_false_alarms_follow_the_beta_binomial() -> None:
    n, m, acceptance, repeats = 99, 400, 0.9, 1500
    rng = np.random.default_rng(0)
    rank = math.ceil((n + 1) * acceptance)
    law = betabinom(m, n + 1 - rank, rank)
    counts = [int(Calibration(rng.normal(size=n)).is_ood(rng.normal(size=m), acceptance).sum()) for _ in range(repeats)]
    for end in (0.05, 0.25, 0.5, 0.75, 0.95):
        edge = law.ppf(end)
        below = sum(count <= edge for count in counts)
        low, high = binom.ppf([0.0005, 0.9995], repeats, law.cdf(edge))
        assert low <= below <= high
    assert np.mean(counts) / m == pytest.approx(1 - acceptance, abs=4 * law.std() / m / math.sqrt(repeats))


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_p_values_are_super_uniform_with_and_without_ties(decimals: int) -> None:
    rng = np.random.default_rng(1)
    repeats, n = 1500, 39
    p = np.array(
        [
            float(Calibration(rng.normal(size=n).round(decimals)).p_values(rng.normal(size=1).round(decimals))[0])
            for _ in range(repeats)
        ]
    )
    for alpha in (0.025, 0.05, 0.1, 0.25, 0.5, 0.9):
        assert (p <= alpha).sum() <= binom.ppf(0.9995, repeats, alpha)
    if decimals == 8:
        assert (p <= 0.25).sum() >= binom.ppf(0.0005, repeats, 0.25), "without ties the level is used up"


def test_p_values_count_the_calibration_scores_at_or_above() -> None:
    p = Calibration(np.array([1.0, 2, 2, 3])).p_values(np.array([0.0, 1, 1.5, 2, 3, 4]))
    assert p.tolist() == pytest.approx([1, 1, 4 / 5, 4 / 5, 2 / 5, 1 / 5])


@settings(max_examples=40, deadline=None)
@given(calibration=quarters, scores=quarters, acceptance=st.sampled_from([0.3, 0.5, 0.7, 0.9, 0.95]))
def test_a_decision_is_a_p_value_at_its_level(calibration: list[float], scores: list[float], acceptance: float) -> None:
    fitted, new = Calibration(calibration), np.array(scores)
    level = 1 - acceptance + 1e-12
    assert torch.equal(fitted.is_ood(new, acceptance), fitted.p_values(new) <= level)


@settings(max_examples=30, deadline=None)
@given(calibration=quarters, scores=quarters)
def test_a_monotone_change_of_all_scores_changes_no_decision(calibration: list[float], scores: list[float]) -> None:
    def change(values: list[float]) -> np.ndarray:
        return 1e6 * np.exp(values) + 300

    before, after = Calibration(calibration), Calibration(change(calibration))
    assert torch.equal(before.p_values(scores), after.p_values(change(scores)))
    assert torch.equal(before.is_ood(scores), after.is_ood(change(scores)))


def test_keeping_more_never_flags_more() -> None:
    fitted = Calibration(torch.randn(500))
    new = torch.randn(2000)
    flagged = [int(fitted.is_ood(new, acceptance).sum()) for acceptance in ACCEPTANCES]
    assert flagged == sorted(flagged, reverse=True)
    assert flagged[0] > 800
    assert flagged[-1] < 60


def test_the_range_of_the_false_alarm_rate_holds_what_it_says() -> None:
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(600):
        fitted = Calibration(rng.uniform(size=60))
        low, high = fitted.false_alarms(0.9)
        held += low <= 1 - fitted.threshold(0.9) <= high
    assert binom.ppf(0.0005, 600, 0.95) <= held <= binom.ppf(0.9995, 600, 0.95)


def test_the_guarantee_names_the_split_the_rate_and_its_range() -> None:
    sentence = Calibration(torch.arange(1000.0)).guarantee(0.95)
    assert "1,000 calibration pictures" in sentence
    assert "at most 5.00% are called out-of-distribution" in sentence
    assert "between 3.73% and 6.43%" in sentence


@pytest.mark.parametrize("acceptance", [0.0, 1.0, 1.5, -0.1, float("nan")])
def test_an_acceptance_that_cannot_be_promised_is_refused(acceptance: float) -> None:
    for ask in (Calibration(np.arange(50.0)).threshold, rows_needed):
        with pytest.raises(ScoreError, match="acceptance must"):
            ask(acceptance)


@pytest.mark.parametrize("scores", [np.array([]), np.array([np.nan]), np.zeros((2, 2)), np.array([True])])
def test_unusable_scores_are_refused(scores: np.ndarray) -> None:
    with pytest.raises(ScoreError):
        Calibration(scores)
    if scores.size:
        with pytest.raises(ScoreError):
            Calibration(np.arange(30.0)).is_ood(scores)
        with pytest.raises(ScoreError):
            Calibration(np.arange(30.0)).p_values(scores)


def test_nothing_to_decide_is_no_decision() -> None:
    fitted = Calibration(np.arange(30.0))
    assert fitted.is_ood(np.array([])).shape == fitted.p_values(torch.zeros(0)).shape == (0,)


def test_a_float32_score_equal_to_its_float32_calibration_ties() -> None:
    scores = torch.rand(40)
    p = Calibration(scores).p_values(scores.sort().values)
    assert torch.equal(p, (torch.arange(40, 0, -1).double() + 1) / 41)


@pytest.mark.gpu
def test_the_decision_stays_on_the_device_of_the_scores() -> None:
    scores = torch.randn(100)
    on_gpu = Calibration(scores.cuda())
    assert on_gpu.scores.is_cuda
    assert on_gpu.p_values(scores.cuda()).is_cuda
    assert torch.equal(on_gpu.p_values(scores.cuda()).cpu(), Calibration(scores).p_values(scores))
    assert torch.equal(Calibration(scores).is_ood(scores.cuda()).cpu(), Calibration(scores).is_ood(scores))
