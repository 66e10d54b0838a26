import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from oodcore.data import augment
from oodcore.errors import DataError


def numbered(n: int, side: int) -> torch.Tensor:
    return torch.randint(1, 256, (n, 3, side, side), dtype=torch.uint8)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(0, 6), side=st.integers(2, 12), pad=st.integers(0, 5), seed=st.integers(0, 99))
def test_every_result_is_a_crop_of_the_padded_image_or_its_mirror(n: int, side: int, pad: int, seed: int) -> None:
    images = numbered(n, side)
    seen = augment(images, torch.Generator().manual_seed(seed), pad=pad)
    assert seen.shape == images.shape
    for image, result in zip(images, seen, strict=True):
        padded = F.pad(image, (pad, pad, pad, pad))
        crops = [
            version[:, top : top + side, left : left + side]
            for version in (padded, padded.flip(-1))
            for top in range(2 * pad + 1)
            for left in range(2 * pad + 1)
        ]
        assert any(torch.equal(result, crop) for crop in crops)


def test_half_are_mirrored_and_every_place_is_as_likely() -> None:
    side, pad, n = 4, 2, 20_000
    image = torch.zeros(3, side, side, dtype=torch.uint8)
    image[0] = torch.arange(1, 17).view(4, 4).byte()
    seen = augment(image.expand(n, 3, side, side), torch.Generator().manual_seed(0), pad=pad)
    unmirrored = augment(image.expand(n, 3, side, side), torch.Generator().manual_seed(0), pad=0)[:, 0, 0, 0] == 1
    assert abs(int(unmirrored.sum()) - n / 2) < 4 * (n / 4) ** 0.5
    row_of_first = (seen[:, 0] > 0).any(2).float().argmax(1)  # black rows at the top
    shift = torch.where((seen[:, 0] > 0).any(2).all(1), torch.zeros_like(row_of_first), row_of_first)
    counts = shift.bincount(minlength=3)
    assert abs(int(counts[2]) - n / 5) < 4 * (n * 4 / 25) ** 0.5
    assert abs(int(counts[1]) - n / 5) < 4 * (n * 4 / 25) ** 0.5


def test_the_same_generator_state_gives_the_same_images() -> None:
    images = numbered(8, 32)
    one, two, three = (augment(images, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(one, two)
    assert not torch.equal(one, three)


def test_without_a_border_only_mirroring_is_left() -> None:
    images = numbered(16, 5)
    seen = augment(images, pad=0)
    same = (seen == images).flatten(1).all(1)
    assert ((seen == images.flip(-1)).flatten(1).all(1) | same).all()


@pytest.mark.gpu
def test_a_cpu_generator_draws_the_same_for_every_device() -> None:
    images = numbered(8, 32)
    here = augment(images, torch.Generator().manual_seed(0))
    there = augment(images.cuda(), torch.Generator().manual_seed(0))
    assert there.is_cuda
    assert torch.equal(there.cpu(), here)


def test_a_negative_border_is_refused() -> None:
    with pytest.raises(DataError, match="0 pixels or more"):
        augment(numbered(1, 4), pad=-1)
