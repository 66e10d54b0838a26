"""The loop is nothing but plain PyTorch, and stops when the numbers do."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from oodcore.data import ArraySet, augment
from oodcore.data.procedural import procedural
from oodcore.errors import DataError
from oodcore.models import build
from oodcore.models.classifier import Classifier
from oodcore.train.loop import DivergedError, Recipe, outlier_exposure, shuffled, train

RECIPE = Recipe(epochs=1, batch=8, outlier_batch=4, lr=0.05, pad=2, seed=3)


@pytest.fixture
def inliers() -> ArraySet:
    return procedural("shapes", "train", count=30)


@pytest.fixture
def outliers() -> ArraySet:
    return procedural("shapes-aux", "train", count=9)


class AsDouble(nn.Module):
    """Images arrive in float32; from here on the network computes in float64."""

    def forward(self, images: Tensor) -> Tensor:
        return images.double()


def network() -> Classifier:
    torch.manual_seed(5)
    model = build("resnet-20-w4", 10).double()
    model.stem = nn.Sequential(AsDouble(), model.stem)
    return model


def weights(model: Classifier) -> Tensor:
    return torch.cat([value.flatten().double() for value in model.state_dict().values()])


def by_hand(model: Classifier, inliers: ArraySet, outliers: ArraySet) -> list[float]:
    """Three steps of Nesterov SGD under a cosine, written out; returns the losses."""
    generator = torch.Generator().manual_seed(3)
    lost: list[float] = []
    inside = outside = torch.empty(0, dtype=torch.int64)
    velocity = [torch.zeros_like(value) for value in model.parameters()]
    model.train()
    for step in range(3):
        if len(inside) < 8:
            inside = torch.randperm(30, generator=generator)[:24]
        if len(outside) < 4:
            outside = torch.randperm(9, generator=generator)[:8]
        rows, inside = inside[:8], inside[8:]
        others, outside = outside[:4], outside[4:]
        images = augment(torch.cat([inliers.images[rows], outliers.images[others]]), generator, pad=2)
        logits = model(model.transform.normalise(images)).logits
        uniform = -logits[8:].log_softmax(1).mean(1).mean()
        loss = F.nll_loss(logits[:8].log_softmax(1), inliers.labels[rows]) + 0.5 * uniform
        model.zero_grad()
        loss.backward()
        lr = 0.05 * (1 + math.cos(math.pi * step / 3)) / 2
        with torch.no_grad():
            for value, speed in zip(model.parameters(), velocity, strict=True):
                assert value.grad is not None
                slope = value.grad + 5e-4 * value
                speed.mul_(0.9).add_(slope)
                value.sub_(lr * (slope + 0.9 * speed))
        lost.append(loss.item())
    return lost


def test_three_steps_equal_a_loop_written_by_hand(inliers: ArraySet, outliers: ArraySet) -> None:
    model, twin = network(), network()
    steps = list(train(model, inliers, outliers, recipe=RECIPE))
    lost = by_hand(twin, inliers, outliers)
    assert [step.index for step in steps] == [0, 1, 2]
    assert [sum(step.terms.values()).item() for step in steps] == pytest.approx(lost, rel=1e-6)
    assert (weights(model) - weights(twin)).abs().max() < 1e-6


def test_the_cosine_ends_at_the_last_step_really_taken(inliers: ArraySet) -> None:
    steps = list(train(network(), inliers, recipe=replace(RECIPE, epochs=4)))
    assert len(steps) == 12  # 30 images make three batches of eight
    assert [step.lr for step in steps] == pytest.approx([0.025 * (1 + math.cos(math.pi * i / 12)) for i in range(12)])


def test_without_outliers_only_cross_entropy_is_minimised(inliers: ArraySet) -> None:
    step = next(train(network(), inliers, recipe=RECIPE))
    assert list(step.terms) == ["cross_entropy"]
    assert not step.terms["cross_entropy"].requires_grad


def test_a_run_repeats_and_the_seed_changes_it(inliers: ArraySet, outliers: ArraySet) -> None:
    runs = []
    for seed in (1, 1, 2):
        model = network()
        list(train(model, inliers, outliers, recipe=replace(RECIPE, seed=seed)))
        runs.append(weights(model))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_the_body_may_evaluate_the_model(inliers: ArraySet) -> None:
    plain, watched = network(), network()
    list(train(plain, inliers, recipe=RECIPE))
    for _ in train(watched, inliers, recipe=RECIPE):
        watched.eval()
    assert torch.equal(weights(plain), weights(watched))


def test_stopping_early_leaves_the_weights_of_the_last_step(inliers: ArraySet) -> None:
    stopped, whole = network(), network()
    next(train(stopped, inliers, recipe=RECIPE))
    seen = [weights(whole) for _ in train(whole, inliers, recipe=RECIPE)]
    assert torch.equal(weights(stopped), seen[0])
    assert not torch.equal(seen[0], seen[1])


def test_outlier_exposure_is_cross_entropy_to_the_uniform_distribution() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [1.0, 5.0, 2.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    terms = outlier_exposure(logits, torch.tensor([1]))
    share = [math.exp(z) / sum(math.exp(v) for v in (1, 5, 2)) for z in (1, 5, 2)]
    expected = 0.5 * (-sum(map(math.log, share)) / 3 + math.log(3)) / 2
    assert terms["outlier_exposure"].item() == pytest.approx(expected, rel=1e-12)
    assert terms["cross_entropy"].item() == pytest.approx(math.log(math.exp(2) + 1 + math.exp(-1)), rel=1e-12)


def test_outlier_exposure_has_the_gradient_of_its_values() -> None:
    logits = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 2])
    assert torch.autograd.gradcheck(lambda z: tuple(outlier_exposure(z, labels).values()), (logits,))


def test_every_sweep_shows_each_image_once_in_a_new_order(inliers: ArraySet) -> None:
    batches = shuffled(inliers.take(slice(0, 12)), 4, torch.Generator().manual_seed(0))
    first, second = (torch.cat([next(batches) for _ in range(3)]).tolist() for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second


def test_divergence_stops_with_advice(inliers: ArraySet) -> None:
    with pytest.raises(DivergedError, match=r"at step \d+ \(cross_entropy=.*lower learning rate than 1e\+200"):
        list(train(network(), inliers, recipe=replace(RECIPE, lr=1e200, epochs=9)))


def test_a_diverged_step_is_not_taken(inliers: ArraySet) -> None:
    model = network()
    with torch.no_grad():
        model.fc.bias[0] = torch.nan
    before = [value.clone() for value in model.parameters()]
    with pytest.raises(DivergedError):
        next(train(model, inliers, recipe=RECIPE))
    assert all(torch.equal(old, new) for old, new in zip(before[:-1], list(model.parameters())[:-1], strict=True))


def test_too_few_images_for_a_batch_are_told(inliers: ArraySet, outliers: ArraySet) -> None:
    with pytest.raises(DataError, match="batch of 31 does not fit 'shapes' with its 30 images"):
        list(train(network(), inliers, recipe=replace(RECIPE, batch=31)))
    with pytest.raises(DataError, match="batch of 10 does not fit 'shapes-aux' with its 9 images"):
        list(train(network(), inliers, outliers, recipe=replace(RECIPE, outlier_batch=10)))


def test_images_without_a_class_are_refused(inliers: ArraySet) -> None:
    strange = replace(inliers, labels=torch.full_like(inliers.labels, -1))
    with pytest.raises(DataError, match="images without a class"):
        next(train(network(), strange, recipe=RECIPE))
