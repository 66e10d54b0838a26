from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oodcore.data import ArraySet
from oodcore.errors import DataError
from oodcore.train.order import batches_of, generator_of, rows_of


@settings(max_examples=20, deadline=None)
@given(size=st.integers(1, 30), seed=st.integers(0, 2**70), sweep=st.integers(0, 5))
def test_a_sweep_shows_each_image_at_most_once_and_fills_every_batch(
    inliers: ArraySet, size: int, seed: int, sweep: int
) -> None:
    rows, full = rows_of(inliers, size, seed, "inliers"), batches_of(inliers, size)
    batches = [rows(sweep * full + place) for place in range(full)]
    assert {len(batch) for batch in batches} == {size}
    seen = torch.cat(batches).tolist()
    assert len(set(seen)) == len(seen) == 30 // size * size
    assert set(seen) <= set(range(30))


def test_a_batch_that_divides_the_set_shows_all_of_it(inliers: ArraySet) -> None:
    rows = rows_of(inliers, 10, 0, "inliers")
    for sweep in range(3):
        assert sorted(torch.cat([rows(3 * sweep + place) for place in range(3)]).tolist()) == list(range(30))


def test_what_a_sweep_leaves_out_changes(inliers: ArraySet) -> None:
    """Of 30 images 8 batches of 8 show 24; over many sweeps every image has its turn."""
    rows = rows_of(inliers, 8, 0, "inliers")
    seen = Counter(row for step in range(60) for row in rows(step).tolist())
    assert len(seen) == 30
    assert max(seen.values()) <= 20


def test_every_sweep_has_a_new_order(inliers: ArraySet) -> None:
    rows = rows_of(inliers, 30, 0, "inliers")
    assert len({tuple(rows(sweep).tolist()) for sweep in range(10)}) == 10


def test_a_step_can_be_looked_up_without_those_before(inliers: ArraySet) -> None:
    """Going on after an interruption needs the step's number alone."""
    running, late = (rows_of(inliers, 8, 3, "inliers") for _ in range(2))
    ordered = [running(step) for step in range(20)]
    for step in (19, 4, 11, 0):
        assert torch.equal(late(step), ordered[step])


def test_seeds_and_streams_have_orders_of_their_own(inliers: ArraySet) -> None:
    orders = [rows_of(inliers, 30, seed, stream)(0) for seed in (0, 1) for stream in ("inliers", "outliers")]
    assert len({tuple(order.tolist()) for order in orders}) == 4


def test_inliers_and_outliers_run_through_at_their_own_pace(inliers: ArraySet, outliers: ArraySet) -> None:
    """Nine outliers by fours make two batches a sweep, thirty inliers by eights three."""
    known, strange = rows_of(inliers, 8, 0, "inliers"), rows_of(outliers, 4, 0, "outliers")
    for step in range(0, 12, 2):
        assert not set(strange(step).tolist()) & set(strange(step + 1).tolist())
    for step in range(0, 12, 3):
        assert len(set(torch.cat([known(step + place) for place in range(3)]).tolist())) == 24


@pytest.mark.parametrize("size", [31, 1000, 0, -1])
def test_a_batch_that_cannot_be_filled_is_told(inliers: ArraySet, size: int) -> None:
    with pytest.raises(DataError, match=f"batch of {size} does not fit 'shapes' with its 30 images"):
        batches_of(inliers, size)
    with pytest.raises(DataError, match="Choose a smaller batch"):
        rows_of(inliers, size, 0, "inliers")


def test_randomness_follows_from_what_it_is_about_alone() -> None:
    def draw(*about: object) -> list[int]:
        return torch.randint(2**31, (4,), generator=generator_of(*about)).tolist()

    assert draw(0, "crops", 7) == draw(0, "crops", 7)
    others = [(0, "crops", 8), (1, "crops", 7), (0, "mirror", 7), (0, "crops", 7, 0), ("0", "crops", 7), (0, "crops7")]
    assert len({tuple(draw(*about)) for about in [(0, "crops", 7), *others]}) == 7
