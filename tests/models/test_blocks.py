"""NormRatio and the block that it selects."""

import pytest
import torch
from torch import nn

from oodcore.data import ArraySet, jigsaw, random_permutations
from oodcore.data.transforms import CIFAR_MEAN, CIFAR_STD
from oodcore.errors import DataError, ScoreError
from oodcore.functional import feature_norm
from oodcore.models import Classifier, build
from oodcore.models.blocks import norm_ratios, sum_of_ratios
from tests.models.conftest import image_set


def noise(n: int) -> ArraySet:
    images = torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8)
    return ArraySet(images, torch.zeros(n, dtype=torch.int64), [str(i) for i in range(n)], classes=("a",))


def network(*blocks: nn.Module) -> Classifier:
    named = {f"block {index}": block for index, block in enumerate(blocks)}
    tail = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Classifier("fake", stem=nn.Identity(), blocks=named, tail=tail, classes=2, width=3).eval()


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps * self.factor


def test_it_is_the_mean_of_the_ratios_and_not_the_ratio_of_the_means() -> None:
    model, images = network(nn.Identity()), noise(7)
    found = norm_ratios(model, images, seed=3, batch_size=7)
    orders = random_permutations(7, torch.Generator().manual_seed(3))
    whole = feature_norm(model.transform.normalise(images.images))
    pieces = feature_norm(model.transform.normalise(jigsaw(images.images, orders)))
    assert float(found.values[0]) == pytest.approx(float((whole / pieces).mean()), rel=1e-6)
    assert float(found.values[0]) != pytest.approx(float(whole.mean() / pieces.mean()), rel=1e-9)


def test_batches_do_not_change_it_and_the_scale_of_a_block_cancels() -> None:
    model, images = network(nn.Identity(), Times(5.0)), noise(9)
    one, many = norm_ratios(model, images, batch_size=9), norm_ratios(model, images, batch_size=2)
    torch.testing.assert_close(one.values, many.values)
    torch.testing.assert_close(one.values[0], one.values[1], rtol=1e-5, atol=0)


class LikesWhole(nn.Module):
    """Loud where the last row is not blank; jigsaws of 32 pixels leave it blank."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        black = (0 - torch.tensor(CIFAR_MEAN)) / torch.tensor(CIFAR_STD)
        corner = (maps[:, :, -1, -1] - black).abs().amax(1)
        return maps.abs() * (1 + corner[:, None, None, None])


def test_the_block_that_prefers_whole_pictures_is_selected() -> None:
    found = norm_ratios(network(nn.Identity(), LikesWhole()), noise(6))
    assert found.selected == 1
    assert found.blocks[found.selected] == "block 1"


def test_a_real_network_has_a_ratio_for_every_block() -> None:
    assert len(norm_ratios(build("resnet-20-w4", 10).eval(), noise(3)).values) == 9


def test_a_silent_jigsaw_is_left_out_and_counted() -> None:
    found = norm_ratios(network(nn.Identity(), Times(0.0)), noise(4))
    assert found.silent == 4
    assert found.values[1] == 0.0
    assert found.selected == 0


def test_progress_ends_at_the_number_of_images() -> None:
    seen: list[tuple[int, int]] = []
    norm_ratios(network(nn.Identity()), noise(5), batch_size=2, progress=lambda *done: seen.append(done))
    assert seen == [(2, 5), (4, 5), (5, 5)]


def test_without_blocks_images_or_finite_weights_it_says_so() -> None:
    with pytest.raises(DataError, match="empty"):
        norm_ratios(network(nn.Identity()), noise(0))
    with pytest.raises(ScoreError, match="NaN or infinite"):
        norm_ratios(network(Times(float("nan"))), noise(2))


def test_the_mean_is_two_in_the_case_of_the_method_specification() -> None:
    """Case S: 2.0, where the ratio of means is 1.727273."""
    whole, cut = torch.tensor([[4.0], [6.0], [9.0]]), torch.tensor([[2.0], [6.0], [3.0]])
    total, n = sum_of_ratios(whole, cut)
    assert (total / n).item() == pytest.approx(2.0, abs=1e-9)


def by_hand(model: Classifier, images: ArraySet, normalised: bool) -> torch.Tensor:
    generator, found = torch.Generator().manual_seed(3), []
    for image in images.images:
        order = torch.rand(1, 9, generator=generator).argsort(dim=1)[0]
        pair = torch.stack([image, jigsaw(image[None], order)[0]])
        with torch.no_grad():
            norms = model(model.transform.normalise(pair) if normalised else pair / 255, norms=True).norms.double()
        found.append(norms[0] / norms[1])
    return torch.stack(found).mean(0)


@pytest.mark.parametrize("normalised", [True, False])
def test_ratios_are_those_of_one_image_after_the_other(model: Classifier, normalised: bool) -> None:
    images = image_set(7)
    got = norm_ratios(model, images, seed=3, normalised=normalised, batch_size=7).values
    assert got.shape == (3,)
    assert got.dtype == torch.float64
    assert torch.allclose(got, by_hand(model, images, normalised), rtol=1e-4)


def test_the_mode_of_the_network_is_as_before(model: Classifier, pictures: ArraySet) -> None:
    model.train()
    norm_ratios(model, pictures)
    assert model.training
