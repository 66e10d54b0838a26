"""NormRatio and the block that it selects."""

import pytest
import torch

from oodcore.data import ArraySet, jigsaw
from oodcore.errors import DataError, ScoreError
from oodcore.models import Classifier
from oodcore.models.blocks import norm_ratio, ratios, select_block
from tests.models.conftest import image_set


def test_the_mean_is_over_ratios_and_not_a_ratio_of_means() -> None:
    """Method specification, case S: 2.0, where the ratio of means is 1.727273."""
    whole, cut = torch.tensor([[4.0], [6.0], [9.0]]), torch.tensor([[2.0], [6.0], [3.0]])
    assert ratios(whole, cut).mean().item() == pytest.approx(2.0, abs=1e-9)


def test_a_silent_jigsaw_stays_finite() -> None:
    assert bool(ratios(torch.ones(1, 1), torch.zeros(1, 1)).isfinite().all())


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
    got = norm_ratio(model, images, torch.Generator().manual_seed(3), normalised=normalised, batch_size=7)
    assert got.shape == (3,)
    assert got.dtype == torch.float64
    assert torch.allclose(got, by_hand(model, images, normalised), rtol=1e-4)


def test_the_largest_ratio_is_selected(model: Classifier, pictures: ArraySet) -> None:
    ratio = norm_ratio(model, pictures, torch.Generator().manual_seed(0))
    assert select_block(model, pictures, torch.Generator().manual_seed(0)) == int(ratio.argmax())


def test_progress_and_modes(model: Classifier, pictures: ArraySet) -> None:
    seen: list[tuple[int, int]] = []
    model.train()
    norm_ratio(model, pictures, batch_size=25, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(25, 40), (40, 40)]
    assert model.training


def test_no_images_and_broken_weights_are_sentences(model: Classifier, pictures: ArraySet) -> None:
    with pytest.raises(DataError, match="empty"):
        norm_ratio(model, pictures.take(slice(0, 0)))
    with torch.no_grad():
        model.stem.conv1.weight.fill_(float("inf"))
    with pytest.raises(ScoreError, match="NaN or infinite"):
        norm_ratio(model, pictures)
