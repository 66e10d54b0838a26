from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from oodcore.data import ArraySet, long_tail, long_tail_counts
from oodcore.errors import DataError


def test_the_counts_of_the_method_notes() -> None:
    ten = long_tail_counts(5000, 10, 0.01)
    assert ten == [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]
    assert sum(ten) == 12406
    hundred = long_tail_counts(500, 100, 0.01)
    assert hundred[:10] == [500, 477, 455, 434, 415, 396, 378, 361, 344, 328]
    assert hundred[-8:] == [6, 6, 6, 6, 5, 5, 5, 5]
    assert sum(hundred) == 10847
    assert long_tail_counts(5000, 10, 0.1) == [5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500]


def test_steps_have_two_heights() -> None:
    assert long_tail_counts(500, 5, 0.1, "step") == [500, 500, 50, 50, 50]


@given(n=st.integers(1, 5000), k=st.integers(1, 50), rho=st.floats(0.001, 1), kind=st.sampled_from(["exp", "step"]))
def test_counts_fall_from_the_maximum_to_its_share(n: int, k: int, rho: float, kind) -> None:
    counts = long_tail_counts(n, k, rho, kind)
    assert counts[0] == n
    assert counts == sorted(counts, reverse=True)
    assert k == 1 or counts[-1] == int(n * rho)


@pytest.mark.parametrize(
    ("n", "k", "rho", "kind"), [(0, 5, 0.1, "exp"), (9, 0, 0.1, "exp"), (9, 5, 0, "exp"), (9, 5, 1.1, "exp")]
)
def test_values_out_of_range_are_refused(n: int, k: int, rho: float, kind) -> None:
    with pytest.raises(DataError):
        long_tail_counts(n, k, rho, kind)


def test_the_subset_takes_the_first_images_of_each_class(image_set: Callable[..., ArraySet]) -> None:
    images = image_set(per_class=8, classes=3)
    tailed = long_tail(images, 0.25)
    assert tailed.counts == {"a": 8, "b": 4, "c": 2}
    wanted = [row for row in range(24) if row // 3 < (8, 4, 2)[row % 3]]  # classes alternate
    assert tailed.keys == tuple(images.keys[row] for row in wanted)
    assert torch.equal(tailed.images, images.images[wanted])


def test_the_head_may_be_chosen(image_set: Callable[..., ArraySet]) -> None:
    assert list(long_tail(image_set(8), 0.25, n_max=4).counts.values()) == [4, 2, 1]


def test_a_class_left_empty_or_too_small_is_refused(image_set: Callable[..., ArraySet]) -> None:
    with pytest.raises(DataError, match="'b' would be left with no image"):
        long_tail(image_set(8), 0.01)
    with pytest.raises(DataError, match="'a' of 'noise' has 8 images, 9"):
        long_tail(image_set(8), 0.5, n_max=9)
    unlabelled = image_set(8).relabel(torch.full((24,), -1), ())
    with pytest.raises(DataError, match="has no classes"):
        long_tail(unlabelled, 0.5, n_max=5)
    with pytest.raises(DataError, match="at least one image"):
        long_tail(image_set(8).relabel(torch.zeros(24, dtype=torch.int64), ("a", "b")), 0.5)
