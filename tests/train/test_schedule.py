import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oodcore.train.schedule import cosine


@pytest.mark.parametrize(
    ("step", "steps", "expected"),
    [
        (0, 10, 1e-3),
        (1, 10, 9.7555273e-4),
        (5, 10, 5.005e-4),
        (10, 10, 1e-6),
        (1, 1940, 9.99999345e-4),
        (1940, 1940, 1e-6),
        (2360, 7820, 7.91821e-4),
    ],
)
def test_worked_example(step: int, steps: int, expected: float) -> None:
    """Case I; the last row is where the release stops, a horizon of 7,820 steps of which 2,360 are taken."""
    assert cosine(step, steps, 1e-3) == pytest.approx(expected, rel=1e-6)


def test_it_is_the_published_multiplier() -> None:
    """c + (1 - c) ½ (1 + cos(πt/T)) with c = 1e-6 / lr."""
    for t in range(8):
        multiplier = 1e-6 / 0.1 + (1 - 1e-6 / 0.1) * 0.5 * (1 + math.cos(math.pi * t / 7))
        assert cosine(t, 7, 0.1) == pytest.approx(0.1 * multiplier, rel=1e-12)


@given(steps=st.integers(1, 500), lr=st.floats(1e-5, 1), share=st.floats(0, 1))
def test_it_falls_from_the_first_rate_to_the_last(steps: int, lr: float, share: float) -> None:
    rates = [cosine(step, steps, lr, share * lr) for step in range(steps + 1)]
    assert rates[0] == pytest.approx(lr)
    assert rates[-1] == pytest.approx(share * lr, abs=1e-12)
    assert all(later <= earlier * (1 + 1e-12) for earlier, later in pairwise(rates))
