import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from oodcore.data import jigsaw, random_permutations
from oodcore.errors import DataError


def by_hand(image: Tensor, order: list[int]) -> Tensor:
    """Tile by tile."""
    high, wide = image.shape[-2] // 3, image.shape[-1] // 3
    result = torch.zeros_like(image)
    for cell, tile in enumerate(order):
        to = (..., slice(cell // 3 * high, (cell // 3 + 1) * high), slice(cell % 3 * wide, (cell % 3 + 1) * wide))
        of = (..., slice(tile // 3 * high, (tile // 3 + 1) * high), slice(tile % 3 * wide, (tile % 3 + 1) * wide))
        result[to] = image[of]
    return result


def test_the_case_of_the_method_notes() -> None:
    rows = [
        [32, 33, 30, 31, 28, 29, 0],
        [39, 40, 37, 38, 35, 36, 0],
        [18, 19, 16, 17, 14, 15, 0],
        [25, 26, 23, 24, 21, 22, 0],
        [4, 5, 2, 3, 0, 1, 0],
        [11, 12, 9, 10, 7, 8, 0],
        [0] * 7,
    ]
    image = torch.arange(49).view(1, 7, 7)
    assert jigsaw(image, [8, 7, 6, 5, 4, 3, 2, 1, 0])[0].tolist() == rows


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(9)), high=st.integers(3, 14), wide=st.integers(3, 14), channels=st.integers(1, 3))
def test_every_order_and_size_equals_moving_tiles_by_hand(order, high: int, wide: int, channels: int) -> None:
    image = torch.arange(1, channels * high * wide + 1).view(channels, high, wide)
    assert torch.equal(jigsaw(image, order), by_hand(image, order))


def test_each_image_of_a_batch_may_have_its_own_order() -> None:
    images = torch.rand(5, 3, 32, 32)
    orders = random_permutations(5)
    mixed = jigsaw(images, orders)
    for row in range(5):
        assert torch.equal(mixed[row], by_hand(images[row], orders[row].tolist()))


@pytest.mark.parametrize(("side", "tile"), [(32, 10), (224, 74)])
def test_what_is_beyond_the_ninth_tile_stays_zero(side: int, tile: int) -> None:
    mixed = jigsaw(torch.ones(3, side, side), list(range(9)))
    assert int(mixed.sum()) == 3 * (3 * tile) ** 2
    assert int(mixed[:, 3 * tile :].sum()) == 0


def test_the_inverse_order_brings_the_image_back() -> None:
    image, order = torch.rand(2, 3, 9, 9), random_permutations(1)[0]
    assert torch.equal(jigsaw(jigsaw(image, order), order.argsort()), image)


def test_the_image_given_is_left_alone() -> None:
    image = torch.rand(3, 9, 9)
    before = image.clone()
    jigsaw(image, [1, 0, 2, 3, 4, 5, 6, 7, 8])
    assert torch.equal(image, before)


def test_random_permutations_are_permutations_repeat_and_are_uniform() -> None:
    orders = random_permutations(9000, torch.Generator().manual_seed(1))
    assert torch.equal(orders, random_permutations(9000, torch.Generator().manual_seed(1)))
    assert torch.equal(orders.sort(1).values, torch.arange(9).expand(9000, 9))
    for place in range(9):  # 1000 expected each, standard deviation 30
        np.testing.assert_allclose(orders[:, place].bincount(minlength=9), 1000, atol=150)


@pytest.mark.parametrize("order", [[0] * 9, list(range(8)), list(range(1, 10)), [[0, 1]]])
def test_what_is_no_permutation_is_refused(order: list[int]) -> None:
    with pytest.raises(DataError, match="0 to 8, each once"):
        jigsaw(torch.rand(3, 9, 9), torch.tensor(order))


def test_too_small_images_and_a_wrong_number_of_orders_are_refused() -> None:
    with pytest.raises(DataError, match="at least 3×3"):
        jigsaw(torch.rand(3, 2, 9), list(range(9)))
    with pytest.raises(DataError, match="One permutation per image"):
        jigsaw(torch.rand(4, 3, 9, 9), random_permutations(3))
