import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import v2

from oodcore.data import Preprocessing
from oodcore.data.transforms import CIFAR_MEAN, CIFAR_STD
from oodcore.errors import DataError

MODES = {"bilinear": v2.InterpolationMode.BILINEAR, "bicubic": v2.InterpolationMode.BICUBIC}


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("width", "height"), [(300, 200), (200, 301), (240, 240), (97, 333)])
def test_resize_then_crop_is_torchvision_s(
    width: int, height: int, interpolation: str, noise: Callable[..., np.ndarray]
) -> None:
    picture = Image.fromarray(noise(height, width, 3))
    theirs = v2.Compose([v2.Resize(96, MODES[interpolation]), v2.CenterCrop(80), v2.PILToTensor()])(picture)
    ours = Preprocessing(80, resize=96, interpolation=interpolation).pixels(picture)  # type: ignore[arg-type]
    assert torch.equal(ours, theirs)


def test_without_resize_the_centre_square_is_taken_whole() -> None:
    picture = np.zeros((20, 60, 3), np.uint8)
    picture[:, 20:40] = 200
    assert Preprocessing(size=10).pixels(picture).unique().tolist() == [200]


def test_the_resize_is_antialiased() -> None:
    checkers = ((np.indices((64, 64)).sum(0) % 2) * 255).astype(np.uint8)
    seen = Preprocessing(size=16, interpolation="bilinear").pixels(np.repeat(checkers[..., None], 3, axis=2))
    assert int(seen.min()) > 100
    assert int(seen.max()) < 155


def test_normalisation_is_the_textbook_formula(noise: Callable[..., np.ndarray]) -> None:
    pixels = noise(4, 3, 32, 32)
    seen = Preprocessing()(torch.from_numpy(pixels))
    expected = (pixels / 255 - np.array(CIFAR_MEAN)[:, None, None]) / np.array(CIFAR_STD)[:, None, None]
    assert seen.dtype == torch.float32
    np.testing.assert_allclose(seen.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("coding", ["lossless", "jpeg75"])
@pytest.mark.parametrize("side", [32, 45])
def test_every_kind_of_picture_gives_the_same_pixels(side: int, coding: str, noise: Callable[..., np.ndarray]) -> None:
    array = noise(side, side, 3)
    tensor = torch.from_numpy(array).movedim(-1, 0)
    prepare = Preprocessing(coding=coding)  # type: ignore[arg-type]
    one = prepare.pixels(array)
    assert one.shape == (3, 32, 32)
    assert torch.equal(one, prepare.pixels(Image.fromarray(array)))
    assert torch.equal(one, prepare.pixels(tensor))
    assert torch.equal(one, prepare.pixels(torch.stack([tensor, tensor]))[1])


def test_coding_is_a_jpeg_round_trip_at_the_network_s_size(noise: Callable[..., np.ndarray]) -> None:
    array = noise(32, 32, 3)
    file = io.BytesIO()
    Image.fromarray(array).save(file, "JPEG", quality=75, subsampling="4:2:0")
    expected = np.asarray(Image.open(file)).transpose(2, 0, 1)
    np.testing.assert_array_equal(Preprocessing(coding="jpeg75").pixels(array).numpy(), expected)


def test_a_coded_source_is_not_coded_twice(noise: Callable[..., np.ndarray]) -> None:
    array = noise(32, 32, 3)
    prepare = Preprocessing(coding="jpeg75")
    np.testing.assert_array_equal(prepare.pixels(array, "jpeg75").numpy(), array.transpose(2, 0, 1))
    batch = torch.from_numpy(noise(3, 3, 32, 32))
    assert torch.equal(prepare.pixels(batch, "jpeg75"), batch)
    assert not torch.equal(prepare.pixels(batch), batch)


def test_resizing_washes_a_coding_out_so_it_is_applied_again(noise: Callable[..., np.ndarray]) -> None:
    larger = noise(64, 64, 3)
    prepare = Preprocessing(coding="jpeg75")
    assert torch.equal(prepare.pixels(larger, "jpeg75"), prepare.pixels(larger, "lossless"))


def test_an_image_of_the_network_s_size_is_left_alone(noise: Callable[..., np.ndarray]) -> None:
    batch = torch.from_numpy(noise(2, 3, 32, 32))
    assert torch.equal(Preprocessing().pixels(batch), batch)
    assert Preprocessing().pixels(torch.empty(0, 3, 40, 40, dtype=torch.uint8)).shape == (0, 3, 32, 32)


def test_grey_pillow_images_are_taken_as_rgb() -> None:
    assert Preprocessing().pixels(Image.new("L", (40, 40), 7)).unique().tolist() == [7]


@pytest.mark.gpu
def test_pixels_stay_on_their_device(noise: Callable[..., np.ndarray]) -> None:
    batch = torch.from_numpy(noise(2, 3, 40, 40))
    for prepare in (Preprocessing(), Preprocessing(coding="jpeg75")):
        there = prepare(batch.cuda())
        assert there.is_cuda
        torch.testing.assert_close(there.cpu(), prepare(batch))


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3)),
        np.zeros((0, 4, 3), np.uint8),
        torch.zeros(1, 4, 4, dtype=torch.uint8),
        torch.zeros(3, 4, 4),
        torch.zeros(2, 4, 4, 3, dtype=torch.uint8),
    ],
)
def test_wrong_shapes_and_types_are_told(picture: np.ndarray | torch.Tensor) -> None:
    with pytest.raises(DataError, match=r"must be uint8|no pixels"):
        Preprocessing().pixels(picture)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"size": 0}, "at least 1 pixel"),
        ({"resize": 31}, "below the crop"),
        ({"std": (1.0, 0.0, 1.0)}, "above 0"),
        ({"mean": (float("nan"), 0.0, 0.0)}, "three numbers"),
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(DataError, match=said):
        Preprocessing(**wrong)  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(
    size=st.integers(1, 64),
    more=st.none() | st.integers(0, 40),
    interpolation=st.sampled_from(["bilinear", "bicubic"]),
    coding=st.sampled_from(["lossless", "jpeg75"]),
    std=st.tuples(*[st.floats(0.01, 2)] * 3),
    assumed=st.booleans(),
)
def test_json_and_back_is_the_same(size, more, interpolation, coding, std, assumed) -> None:
    prepare = Preprocessing(size, None if more is None else size + more, interpolation, std, std, coding, assumed)
    assert Preprocessing.from_json(prepare.to_json()) == prepare


@pytest.mark.parametrize(
    "values",
    [{"colour": 1}, {"mean": 5}, {"mean": [1, 2]}, {"std": ["a", 1, 1]}, {"coding": "webp"}, {"interpolation": "area"}],
)
def test_a_malformed_card_is_told_in_one_sentence(values: dict[str, object]) -> None:
    with pytest.raises(DataError, match=r"preprocessing|three numbers|coding|interpolation"):
        Preprocessing.from_json(values)
