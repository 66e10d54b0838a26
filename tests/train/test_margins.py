import numpy as np
import pytest
import torch

from oodcore.errors import ScoreError
from oodcore.train.margins import Suggestion, suggest


def test_margins_are_percentiles_counted_by_hand() -> None:
    inside, outside = [-9.0, -8.0, -7.0, -6.0, -5.0], torch.tensor([-4.0, -3.0, -2.0, -1.0, 0.0])
    assert suggest(inside, outside) == Suggestion(-8.0, -1.0)
    assert suggest(inside, outside, inside=0, outside=50) == Suggestion(-9.0, -2.0)
    assert suggest(inside, outside, inside=12.5) == Suggestion(-8.5, -1.0)


def test_the_gap_is_positive() -> None:
    assert suggest([-9.0], [-2.0]).gap == 7.0


def test_alpha_grows_with_the_gap() -> None:
    assert Suggestion(-23.0, -5.0).alpha(10) == 10.0
    assert Suggestion(-23.0, -5.0).alpha(100) == 100.0
    assert Suggestion(-14.0, -5.0).alpha(10) == 5.0
    assert Suggestion(-14.0, -5.0).alpha(10, gap=3.0) == 30.0


def test_the_order_of_the_energies_does_not_matter() -> None:
    dice = np.random.default_rng(0)
    inside, outside = dice.normal(-9, 1, 50), dice.normal(-3, 1, 70)
    assert suggest(inside, outside) == suggest(dice.permutation(inside), dice.permutation(outside))


@pytest.mark.parametrize(("inside", "outside"), [([-2.0, -1.0], [-9.0, -8.0]), ([-3.0], [-3.0])])
def test_margins_the_wrong_way_round_are_told_with_both_numbers(inside: list[float], outside: list[float]) -> None:
    with pytest.raises(ScoreError, match=r"percentile 25 of in-distribution energies is -[13].*percentile 75 of the"):
        suggest(inside, outside)


@pytest.mark.parametrize(("inside", "outside"), [(-1.0, 75.0), (25.0, 100.5), (float("nan"), 75.0)])
def test_percentiles_are_shares_of_a_hundred(inside: float, outside: float) -> None:
    with pytest.raises(ScoreError, match="percentiles from 0 to 100"):
        suggest([-9.0], [-2.0], inside=inside, outside=outside)


@pytest.mark.parametrize("bad", [[], [float("nan")], [float("-inf")]])
def test_energies_must_be_there_and_finite(bad: list[float]) -> None:
    with pytest.raises(ScoreError, match="in-distribution energies"):
        suggest(bad, [-2.0])
    with pytest.raises(ScoreError, match="outliers' energies"):
        suggest([-9.0], bad)
