from statistics import NormalDist

import numpy as np
import pytest

from oodcore.errors import ScoreError
from oodcore.metrics import auroc, auroc_interval, ood_intervals, ood_metrics


def delong_reference(inside: np.ndarray, ood: np.ndarray, level: float) -> tuple[float, float]:
    """All pairs in one matrix, the variance of its row and column means."""
    wins = (ood[:, None] > inside) + 0.5 * (ood[:, None] == inside)
    spread = np.sqrt(wins.mean(1).var(ddof=1) / len(ood) + wins.mean(0).var(ddof=1) / len(inside))
    value = wins.mean()
    reach = NormalDist().inv_cdf((1 + level) / 2) * spread / (value * (1 - value))
    centre = np.log(value / (1 - value))
    low, high = 1 / (1 + np.exp(-(centre + np.array([-reach, reach]))))
    return float(low), float(high)


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_delong_over_all_pairs(decimals: int, level: float) -> None:
    rng = np.random.default_rng(0)
    inside, ood = rng.normal(size=80).round(decimals), rng.normal(1, 1.5, 130).round(decimals)
    found = auroc_interval(inside, ood, level)
    assert (found.low, found.high) == pytest.approx(delong_reference(inside, ood, level), abs=1e-12)
    assert found.low < auroc(inside, ood) < found.high
    assert found.level == level


def test_ninety_percent_delong_intervals_hold_the_truth_in_about_ninety_of_a_hundred() -> None:
    rng = np.random.default_rng(1)
    truth = NormalDist().cdf(1.5 / np.sqrt(2))
    repeats = 400
    held = 0
    for _ in range(repeats):
        found = auroc_interval(rng.normal(size=100), rng.normal(1.5, 1, 150), 0.9)
        held += found.low <= truth <= found.high
    assert 0.86 < held / repeats < 0.94


def test_bootstrap_intervals_hold_the_truth_about_as_often_as_documented() -> None:
    rng = np.random.default_rng(2)
    truth = ood_metrics(rng.normal(size=400_000), rng.normal(1.5, 1, 400_000))
    repeats = 80
    held = dict.fromkeys(ood_intervals(rng.normal(size=9), rng.normal(size=9), draws=2), 0)
    for _ in range(repeats):
        for name, found in ood_intervals(rng.normal(size=150), rng.normal(1.5, 1, 150), draws=60).items():
            held[name] += found.low <= float(truth[name]) <= found.high
    assert len(held) == 6
    for name, count in held.items():
        assert count / repeats >= 0.82, name
    assert sum(held.values()) / (6 * repeats) < 0.99, "intervals that always hold are too wide"


def test_a_quarter_of_the_samples_doubles_the_width() -> None:
    rng = np.random.default_rng(3)
    inside, ood = rng.normal(size=4000), rng.normal(1, 1, 4000)
    wide, narrow = ood_intervals(inside[::4], ood[::4]), ood_intervals(inside, ood)
    for name in wide:
        ratio = (wide[name].high - wide[name].low) / (narrow[name].high - narrow[name].low)
        assert 1.4 < ratio < 2.9, name


def test_the_seed_fixes_the_interval() -> None:
    rng = np.random.default_rng(4)
    inside, ood = rng.normal(size=60), rng.normal(1, 1, 60)
    assert ood_intervals(inside, ood, draws=20, seed=5) == ood_intervals(inside, ood, draws=20, seed=5)
    assert ood_intervals(inside, ood, draws=20, seed=5) != ood_intervals(inside, ood, draws=20, seed=6)


def test_intervals_are_named_like_the_values() -> None:
    rng = np.random.default_rng(5)
    inside, ood = rng.normal(size=60), rng.normal(1, 1, 60)
    found = ood_intervals(inside, ood, recall=0.9, draws=5)
    assert set(found) < set(ood_metrics(inside, ood, recall=0.9))
    assert "fpr90_id_positive" in found


@pytest.mark.parametrize("pairs", [1, 5, 100])
def test_perfect_separation_is_not_certainty(pairs: int) -> None:
    """All of m independent pairs are in order with probability at most AUROC to the m."""
    found = auroc_interval(np.zeros(pairs), np.ones(pairs + 3))
    assert found.high == 1
    assert found.low == pytest.approx(0.025 ** (1 / pairs), abs=1e-9)


def test_constant_scores_leave_auroc_open_around_a_half() -> None:
    found = auroc_interval(np.zeros(50), np.zeros(50))
    assert 0.2 < found.low < 0.5 < found.high < 0.8
    assert found.low == pytest.approx(1 - found.high)


def test_a_single_outlier_leaves_a_wide_interval() -> None:
    found = auroc_interval(np.arange(1000.0), np.array([900.5]))
    assert found.high - found.low > 0.5


def test_impossible_levels_and_draws_are_refused() -> None:
    for level in (0.0, 1.0, 95.0):
        with pytest.raises(ScoreError, match="between 0 and 1"):
            auroc_interval(np.zeros(3), np.ones(3), level)
        with pytest.raises(ScoreError, match="between 0 and 1"):
            ood_intervals(np.zeros(3), np.ones(3), level=level)
    with pytest.raises(ScoreError, match="at least 1"):
        ood_intervals(np.zeros(3), np.ones(3), draws=0)
