import io
import logging
import math
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from oodcore.data import ArraySet, augment
from oodcore.errors import DataError, ScoreError
from oodcore.losses import Objective, Terms
from oodcore.losses.cross_entropy import CrossEntropy
from oodcore.losses.energy import Energy
from oodcore.losses.semantic_energy import SemanticEnergy, SemanticEnergyObjective
from oodcore.models import Network, build
from oodcore.models.collect import collect
from oodcore.records import Outputs
from oodcore.train.loop import DivergedError, Step, Training, optimizer_of
from oodcore.train.order import generator_of
from oodcore.train.recipe import BatchNorm, Precision, Recipe
from tests.train import two_processes

RECIPE = Recipe(epochs=1, batch=8, outlier_batch=4, lr=0.05, lr_end=1e-4, pad=2, seed=3)
ENERGY = Energy(0.1, margin_in=-4.0, margin_out=-2.0)
COUNTS = torch.tensor([50, 30, 20, 10, 5, 5, 3, 2, 1, 1])


@pytest.fixture
def double() -> Fabric:
    """One process in float64, so that two ways of computing the same thing agree to rounding."""
    return Fabric(accelerator="cpu", devices=1, precision="64-true")


def network(architecture: str = "resnet-8-w4", seed: int = 5) -> Network:
    """The same weights each time."""
    torch.manual_seed(seed)
    return build(architecture, 10)


def weights(model: nn.Module) -> Tensor:
    return torch.cat([value.detach().double().flatten() for value in model.parameters()])


def statistics(model: nn.Module) -> Tensor:
    """Running means and variances of batch norm."""
    return torch.cat([value.double().flatten() for name, value in model.named_buffers() if "running" in name])


@dataclass
class Watched:
    """An objective that remembers what it was given."""

    objective: Objective
    seen: list[tuple[Outputs, Tensor, Outputs]]

    def terms(self, inside: Outputs, labels: Tensor, outside: Outputs, /) -> Terms:
        self.seen.append((inside.detach(), labels, outside.detach()))
        return self.objective.terms(inside, labels, outside)

    def activity(self, inside: Outputs, outside: Outputs, /) -> Terms:
        return self.objective.activity(inside, outside)


def watched(objective: Objective | None = None) -> Watched:
    return Watched(objective or ENERGY.fit(), [])


# --- against a loop written by hand


def by_hand(model: Network, inliers: ArraySet, outliers: ArraySet) -> list[float]:
    """Three steps of Nesterov SGD under a cosine, written out; returns the losses."""
    known = torch.randperm(30, generator=generator_of(3, "inliers", 0))
    strange = [torch.randperm(9, generator=generator_of(3, "outliers", sweep)) for sweep in (0, 1)]
    velocity = [torch.zeros_like(value) for value in model.parameters()]
    model.train()
    lost: list[float] = []
    for step, others in enumerate((strange[0][:4], strange[0][4:8], strange[1][:4])):
        rows = known[8 * step : 8 * step + 8]
        pictures = torch.cat([inliers.images[rows], outliers.images[others]])
        images = augment(pictures, generator_of(3, "crops", step), pad=2)
        logits = model(model.transform.normalise(images).double()).logits
        energy = -logits.logsumexp(1)
        loss = F.nll_loss(logits[:8].log_softmax(1), inliers.labels[rows])
        loss = loss + 0.1 * (energy[:8] + 4).clamp_min(0).square().sum() / 8
        loss = loss + 0.1 * (-2 - energy[8:]).clamp_min(0).square().sum() / 4
        model.zero_grad()
        loss.backward()
        lr = 1e-4 + (0.05 - 1e-4) * (1 + math.cos(math.pi * (step + 1) / 3)) / 2
        with torch.no_grad():
            for value, speed in zip(model.parameters(), velocity, strict=True):
                assert value.grad is not None
                slope = value.grad + 5e-4 * value
                speed.mul_(0.9).add_(slope)
                value.sub_(lr * (slope + 0.9 * speed))
        lost.append(loss.item())
    return lost


def test_three_steps_equal_a_loop_written_by_hand(inliers: ArraySet, outliers: ArraySet, double: Fabric) -> None:
    model, twin = network(), network().double()
    steps = list(Training(model, ENERGY.fit(), inliers, outliers, RECIPE, double))
    lost = by_hand(twin, inliers, outliers)
    assert [step.index for step in steps] == [0, 1, 2]
    assert [sum(step.terms.values()).item() for step in steps] == pytest.approx(lost, rel=1e-6), "told in float32"
    torch.testing.assert_close(weights(model), weights(twin), rtol=0, atol=1e-9)
    torch.testing.assert_close(statistics(model), statistics(twin), rtol=0, atol=1e-9)


# --- steps


def test_a_step_tells_terms_activity_and_rate_detached(inliers: ArraySet, outliers: ArraySet) -> None:
    training = Training(network(), ENERGY.fit(), inliers, outliers, RECIPE)
    step = next(iter(training))
    assert list(step.terms) == ["cross_entropy", "energy_in", "energy_out"]
    assert list(step.activity) == ["energy_in", "energy_out"]
    assert not any(value.requires_grad for value in (*step.terms.values(), *step.activity.values()))
    assert training.done == 1
    assert training.steps == 3


def test_the_cosine_moves_before_the_update_and_ends_at_the_last(inliers: ArraySet) -> None:
    """Case I."""
    training = Training(network(), CrossEntropy().fit(), inliers, None, Recipe(steps=10, batch=2, lr=1e-3))
    rates = [step.lr for step in training]
    assert len(rates) == 10
    assert [rates[0], rates[4], rates[9]] == pytest.approx([9.7555273e-4, 5.005e-4, 1e-6], rel=1e-6)


def test_epochs_count_the_steps_really_taken(inliers: ArraySet, outliers: ArraySet) -> None:
    """Two batches of outliers a sweep do not cut the three of inliers, nor the horizon."""
    training = Training(network(), ENERGY.fit(), inliers, outliers, replace(RECIPE, epochs=2))
    steps = list(training)
    assert len(steps) == training.steps == 6
    assert steps[-1].lr == pytest.approx(1e-4)
    assert steps[2].lr == pytest.approx((0.05 + 1e-4) / 2)


def test_without_outliers_only_inliers_are_shown(inliers: ArraySet) -> None:
    objective = watched(CrossEntropy().fit())
    steps = list(Training(network(), objective, inliers, None, RECIPE))
    assert [list(step.terms) for step in steps] == [["cross_entropy"]] * 3
    assert [len(outside.logits) for _, _, outside in objective.seen] == [0, 0, 0]


def test_each_sweep_shows_each_image_once_and_outliers_turn_on_their_own(inliers: ArraySet, outliers: ArraySet) -> None:
    """A network that says which image it sees: its logit is the sum of the pixels."""
    known = {int(image.long().sum()): index for index, image in enumerate(inliers.images)}
    strange = {int(image.long().sum()): index for index, image in enumerate(outliers.images)}
    assert len(known) == 30
    assert len(strange) == 9
    objective = watched(CrossEntropy().fit())
    still = replace(RECIPE, epochs=2, pad=0, flip=False, channels_last=False)
    list(Training(Counting(), objective, inliers, outliers, still))
    shown = [[known[round(value)] for value in inside.features[:, 0].tolist()] for inside, _, _ in objective.seen]
    for sweep in (shown[:3], shown[3:]):
        assert len({row for rows in sweep for row in rows}) == 24
    assert shown[:3] != shown[3:]
    for rows, (_, labels, _) in zip(shown, objective.seen, strict=True):
        assert inliers.labels[rows].tolist() == labels.tolist()
    others = [[strange[round(value)] for value in outside.features[:, 0].tolist()] for _, _, outside in objective.seen]
    for sweep in (others[:2], others[2:4], others[4:]):
        assert len({row for rows in sweep for row in rows}) == 8


class Counting(Network):
    """Its feature is the sum of an image's pixels; the logits only want a weight to train."""

    def __init__(self) -> None:
        super().__init__("counting", 10, ())
        self.weight = nn.Parameter(torch.zeros(10))

    head = property(lambda self: None)  # type: ignore[assignment]

    def forward(self, images: Tensor, *, norms: bool = False) -> Outputs:
        mean, std = (torch.tensor(part).view(3, 1, 1) for part in (self.transform.mean, self.transform.std))
        total = ((images * std + mean) * 255).round().double().sum((1, 2, 3))[:, None]
        return Outputs(self.weight.expand(len(images), 10), total)


def test_a_run_repeats_and_the_seed_changes_it(inliers: ArraySet, outliers: ArraySet) -> None:
    runs = []
    for seed in (1, 1, 2):
        model = network()
        list(Training(model, ENERGY.fit(), inliers, outliers, replace(RECIPE, seed=seed)))
        runs.append(weights(model))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_the_body_may_evaluate_and_draw_random_numbers(inliers: ArraySet) -> None:
    """Dropout follows from the seed and the step alone."""
    plain, disturbed = network("wrn-10-1"), network("wrn-10-1")
    list(Training(plain, CrossEntropy().fit(), inliers, None, RECIPE))
    for _ in Training(disturbed, CrossEntropy().fit(), inliers, None, RECIPE):
        disturbed.eval()
        torch.rand(7)
    assert torch.equal(weights(plain), weights(disturbed))


def test_stopping_early_leaves_the_weights_of_the_last_step_and_can_go_on(inliers: ArraySet) -> None:
    stopped, whole = network(), network()
    training = Training(stopped, CrossEntropy().fit(), inliers, None, RECIPE)
    next(iter(training))
    seen = [weights(whole) for _ in Training(whole, CrossEntropy().fit(), inliers, None, RECIPE)]
    assert torch.equal(weights(stopped), seen[0])
    assert not torch.equal(seen[0], seen[1])
    assert [step.index for step in training] == [1, 2]
    assert torch.equal(weights(stopped), seen[2])


# --- batch norm


def first_step(
    kind: BatchNorm, inliers: ArraySet, outliers: ArraySet, double: Fabric
) -> tuple[Network, Network, Tensor, Tensor, Tensor]:
    """Network after a step, one before it, its first images, and the logits that the objective saw of both sides."""
    objective, model, twin = watched(), network(), network().double()
    still = replace(RECIPE, batch_norm=kind, pad=0, flip=False)
    next(iter(Training(model, objective, inliers, outliers, still, double)))
    known = torch.randperm(30, generator=generator_of(3, "inliers", 0))[:8]
    strange = torch.randperm(9, generator=generator_of(3, "outliers", 0))[:4]
    images = twin.transform.normalise(torch.cat([inliers.images[known], outliers.images[strange]])).double()
    return model, twin, images, objective.seen[0][0].logits, objective.seen[0][2].logits


def test_joint_batch_norm_sees_the_mixture(inliers: ArraySet, outliers: ArraySet, double: Fabric) -> None:
    model, twin, images, inside, outside = first_step("joint", inliers, outliers, double)
    expected = twin.train()(images).logits
    torch.testing.assert_close(torch.cat([inside, outside]), expected.detach(), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(statistics(model), statistics(twin), rtol=1e-9, atol=1e-9)


def test_separate_batch_norm_normalises_each_and_keeps_the_inliers(
    inliers: ArraySet, outliers: ArraySet, double: Fabric
) -> None:
    model, twin, images, inside, outside = first_step("separate", inliers, outliers, double)
    torch.testing.assert_close(inside, twin.train()(images[:8]).logits.detach(), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(statistics(model), statistics(twin), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(outside, twin(images[8:]).logits.detach(), rtol=1e-9, atol=1e-9)
    assert {layer.momentum for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)} == {0.1}


def test_frozen_batch_norm_uses_and_keeps_the_statistics_of_before(
    inliers: ArraySet, outliers: ArraySet, double: Fabric
) -> None:
    model, twin, images, inside, outside = first_step("frozen", inliers, outliers, double)
    torch.testing.assert_close(torch.cat([inside, outside]), twin.eval()(images).logits.detach(), rtol=1e-9, atol=1e-9)
    assert torch.equal(statistics(model), statistics(twin))
    scales = [layer.weight for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert any(not torch.equal(scale, torch.ones_like(scale)) for scale in scales), "scale and shift are trained"


def test_norms_and_head_alone_are_trained_and_the_rest_is_in_eval_mode(inliers: ArraySet, double: Fabric) -> None:
    """Stage two of PASCL. Batch norm normalises by the batch; dropout is off."""
    objective, model, twin = watched(CrossEntropy().fit()), network("wrn-10-1"), network("wrn-10-1").double()
    recipe = replace(RECIPE, trainable="norms+head", pad=0, flip=False)
    next(iter(Training(model, objective, inliers, None, recipe, double)))
    known = torch.randperm(30, generator=generator_of(3, "inliers", 0))[:8]
    twin.eval()
    for layer in twin.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.train()
    expected = twin(twin.transform.normalise(inliers.images[known]).double()).logits
    torch.testing.assert_close(objective.seen[0][0].logits, expected.detach(), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(statistics(model), statistics(twin), rtol=1e-9, atol=1e-9)
    moved = {
        name for (name, new), old in zip(model.named_parameters(), twin.parameters(), strict=True) if (new != old).any()
    }
    assert {"fc.weight", "fc.bias"} < moved
    convolutions = {name for name, value in model.named_parameters() if value.ndim == 4}
    assert moved == {name for name, _ in model.named_parameters()} - convolutions


# --- parts of a batch, averages, layouts, precisions


@pytest.mark.parametrize("accumulate", [2, 4])
def test_parts_of_a_batch_add_up_to_one_update(
    inliers: ArraySet, outliers: ArraySet, double: Fabric, accumulate: int
) -> None:
    whole, parts = network(), network()
    frozen = replace(RECIPE, batch_norm="frozen")
    once = list(Training(whole, ENERGY.fit(), inliers, outliers, frozen, double))
    often = list(Training(parts, ENERGY.fit(), inliers, outliers, replace(frozen, accumulate=accumulate), double))
    torch.testing.assert_close(weights(parts), weights(whole), rtol=1e-9, atol=1e-12)
    for one, other in zip(once, often, strict=True):
        for told, retold in ((one.terms, other.terms), (one.activity, other.activity)):
            assert {k: v.item() for k, v in told.items()} == pytest.approx({k: v.item() for k, v in retold.items()})


def test_averaged_weights_follow_the_formula_and_are_the_result(inliers: ArraySet, outliers: ArraySet) -> None:
    """They start as the first update's; statistics are those of now."""
    model = network()
    training = Training(model, ENERGY.fit(), inliers, outliers, replace(RECIPE, epochs=2, ema=0.7))
    expected: Tensor | None = None
    for _ in training:
        expected = weights(model) if expected is None else 0.7 * expected + 0.3 * weights(model)
        torch.testing.assert_close(weights(training.result), expected, rtol=1e-5, atol=1e-6)
        assert torch.equal(statistics(training.result), statistics(model))
    assert training.result is not model
    assert not torch.equal(weights(training.result), weights(model))


def test_class_centres_are_averaged_with_the_network_that_they_belong_to(inliers: ArraySet, outliers: ArraySet) -> None:
    model = network()
    bank = collect(model, inliers)
    objective = SemanticEnergy(margin_in=-6.0, margin_out=-3.0, warm_up=0).fit(bank)
    training = Training(model, objective, inliers, outliers, replace(RECIPE, epochs=2, ema=0.7))
    expected: Tensor | None = None
    for _ in training:
        now = objective.centers.detach().clone()
        expected = now if expected is None else 0.7 * expected + 0.3 * now
    kept = training.resulting_objective
    assert isinstance(kept, SemanticEnergyObjective)
    torch.testing.assert_close(kept.centers, expected)
    assert not torch.equal(kept.centers, objective.centers)


def test_without_averaging_the_result_is_the_network(inliers: ArraySet) -> None:
    model = network()
    assert Training(model, CrossEntropy().fit(), inliers, None, RECIPE).result is model


def test_half_precision_computes_the_network_only(inliers: ArraySet, outliers: ArraySet) -> None:
    found: dict[Precision, tuple[Network, Watched, list[Step]]] = {}
    for precision in ("32-true", "bf16-mixed"):
        model, objective = network(), watched()
        steps = list(Training(model, objective, inliers, outliers, replace(RECIPE, precision=precision)))
        found[precision] = model, objective, steps
    model, objective, steps = found["bf16-mixed"]
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    assert {value.dtype for step in steps for value in step.terms.values()} == {torch.float32}
    assert {rows.dtype for inside, _, outside in objective.seen for rows in (*inside[:2], *outside[:2])} == {
        torch.float32
    }
    first, wide = objective.seen[0][0].logits, found["32-true"][1].seen[0][0].logits
    assert torch.equal(first, first.bfloat16().float()), "the last layer was computed in bfloat16"
    assert not torch.equal(first, wide)
    torch.testing.assert_close(first, wide, rtol=0.1, atol=0.1)


@pytest.mark.gpu
def test_float16_trains_and_goes_on_from_its_state(inliers: ArraySet, outliers: ArraySet) -> None:
    recipe = replace(RECIPE, epochs=4, lr=0.01, precision="16-mixed", ema=0.9)
    training = Training(network(), ENERGY.fit(), inliers, outliers, recipe)
    lost = [sum(step.terms.values()).item() for step in training]
    assert lost[-1] < lost[0]
    assert all(value.is_cuda for value in training.result.parameters())
    again = Training(network(seed=8), ENERGY.fit(), inliers, outliers, recipe)
    again.load_state_dict(training.state_dict())
    assert again.state_dict()["scaler"] == training.state_dict()["scaler"] != {}


def test_channels_last_changes_nothing_beyond_rounding(inliers: ArraySet, outliers: ArraySet, double: Fabric) -> None:
    usual, last = network(), network()
    for model, recipe in ((usual, replace(RECIPE, channels_last=False)), (last, RECIPE)):
        list(Training(model, ENERGY.fit(), inliers, outliers, recipe, double))
    torch.testing.assert_close(weights(last), weights(usual), rtol=1e-9, atol=1e-9)
    layers = [next(value for value in model.parameters() if value.ndim == 4) for model in (usual, last)]
    assert [layer.is_contiguous(memory_format=torch.channels_last) for layer in layers] == [False, True]


class Small(Network):
    """Convolution, batch norm and a head, without the run-time type checks that a compiler would have to follow."""

    def __init__(self) -> None:
        super().__init__("small", 10, ())
        self.stem, self.norm, self.fc = nn.Conv2d(3, 4, 3, stride=4), nn.BatchNorm2d(4), nn.Linear(4, 10)

    head = property(lambda self: None)  # type: ignore[assignment]

    def forward(self, images: Tensor, *, norms: bool = False) -> Outputs:
        features = self.norm(self.stem(images)).relu().mean((2, 3))
        return Outputs(self.fc(features), features)


def test_compiling_changes_neither_results_nor_names(
    inliers: ArraySet, outliers: ArraySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a compiler that leaves the graph as it is: the real one takes a minute, and is not ours to test."""
    graphs: list[Any] = []

    def keep(graph: Any, _: Any) -> Any:
        graphs.append(graph)
        return graph

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=keep))
    torch.manual_seed(5)
    plain, compiled = Small(), Small()
    compiled.load_state_dict(plain.state_dict())
    names = set(plain.state_dict())
    for model, recipe in ((plain, RECIPE), (compiled, replace(RECIPE, compile=True))):
        training = Training(model, ENERGY.fit(), inliers, outliers, replace(recipe, ema=0.5, batch_norm="separate"))
        list(training)
        assert set(training.result.state_dict()) == set(training.model.state_dict()) == names
    assert graphs
    torch.testing.assert_close(weights(compiled), weights(plain))
    torch.testing.assert_close(statistics(compiled), statistics(plain))


# --- going on


def kept(training: Training) -> dict[str, Any]:
    """The state after a way through a file, read without unpickling code."""
    file = io.BytesIO()
    torch.save(training.state_dict(), file)
    return torch.load(io.BytesIO(file.getvalue()), weights_only=True)


@pytest.mark.parametrize(("accumulate", "norm"), [(1, "joint"), (2, "separate")])
def test_resuming_is_exact_to_the_last_bit(
    inliers: ArraySet, outliers: ArraySet, accumulate: int, norm: BatchNorm
) -> None:
    """With dropout, averaged weights and momentum; the second process starts from other weights and other noise."""
    recipe = replace(RECIPE, epochs=2, ema=0.8, accumulate=accumulate, batch_norm=norm)
    whole = Training(network("wrn-10-1"), ENERGY.fit(), inliers, outliers, recipe)
    steps, state = [], {}
    for step in whole:
        steps.append(step)
        if step.index == 2:
            state = kept(whole)
    torch.rand(100)
    again = Training(network("wrn-10-1", seed=99), ENERGY.fit(), inliers, outliers, recipe)
    again.load_state_dict(state)
    assert again.done == 3
    rest = list(again)
    assert [step.index for step in rest] == [3, 4, 5]
    assert [step.terms for step in rest] == [step.terms for step in steps[3:]]
    for one, other in ((whole.model, again.model), (whole.result, again.result)):
        assert torch.equal(weights(one), weights(other))
        assert torch.equal(statistics(one), statistics(other))


class Centred(nn.Module):
    """An objective with a parameter of its own, that wants to know the step."""

    def __init__(self) -> None:
        super().__init__()
        self.centers = nn.Parameter(torch.ones(10))
        self.steps: list[int] = []

    def stage(self, step: int) -> None:
        self.steps.append(step)

    def terms(self, inside: Outputs, labels: Tensor, outside: Outputs, /) -> Terms:
        return {"cross_entropy": F.cross_entropy(inside.logits * self.centers, labels)}

    def activity(self, inside: Outputs, outside: Outputs, /) -> Terms:
        return {}


def test_what_the_objective_learns_is_trained_told_the_step_and_kept(inliers: ArraySet, outliers: ArraySet) -> None:
    objective, fresh = Centred(), Centred()
    training = Training(network(), objective, inliers, outliers, RECIPE)
    list(training)
    assert objective.steps == [0, 1, 2]
    assert not torch.equal(objective.centers, torch.ones(10))
    again = Training(network(), fresh, inliers, outliers, RECIPE)
    again.load_state_dict(kept(training))
    assert torch.equal(fresh.centers, objective.centers)
    assert list(again) == []


def test_class_centres_are_not_decayed() -> None:
    objective = Centred()
    groups = optimizer_of(nn.ModuleList([nn.Linear(2, 2), objective]), replace(RECIPE, momentum=0.0)).param_groups
    decay = {value: group["weight_decay"] for group in groups for value in group["params"]}
    assert decay[objective.centers] == 0
    assert sorted(decay.values()) == [0, 5e-4, 5e-4]


# --- several processes


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    """Two steps with batch norm frozen; crops, the sum of the weights Z and what is told are of the joined batch."""
    script = Path(__file__).with_name("two_processes.py")
    command = [sys.executable, str(script), str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    first, second = (torch.load(tmp_path / f"learned {rank}") for rank in (0, 1))
    alone = two_processes.learned(Fabric(accelerator="cpu", devices=1, precision="64-true"))
    assert set(first) == set(alone) == set(two_processes.NAMES)
    for name, (expected, told) in alone.items():
        assert (expected[: len(weights(network()))] - weights(two_processes.start(name)[0])).abs().max() > 1e-3
        assert torch.equal(first[name][0], second[name][0])
        torch.testing.assert_close(first[name][0], expected, rtol=0, atol=1e-9)
        assert first[name][1] == second[name][1]
        for there, here in zip(first[name][1], told, strict=True):
            assert there == pytest.approx(here, rel=1e-6)  # Fabric gives terms in float32


# --- what cannot work


@pytest.mark.parametrize("where", ["bias", "rate"])
def test_divergence_stops_with_advice_and_the_step_is_not_taken(inliers: ArraySet, where: str) -> None:
    model = network()
    training = Training(model, CrossEntropy().fit(), inliers, None, replace(RECIPE, epochs=9, lr=1e30))
    if where == "bias":
        with torch.no_grad():
            model.head.bias[0] = torch.nan
    before = [weights(model)]
    with pytest.raises(
        DivergedError,
        match=r"nan at step \d+ \(cross_entropy=nan\)\. Try a lower learning rate than 1e\+30, and margins",
    ):
        before.extend(weights(model) for _ in training)
    assert torch.equal(weights(model).nan_to_num(), before[-1].nan_to_num())
    assert training.done == len(before) - 1


def test_batches_that_cannot_be_filled_are_told(inliers: ArraySet, outliers: ArraySet) -> None:
    with pytest.raises(DataError, match="batch of 31 does not fit 'shapes' with its 30 images"):
        Training(network(), ENERGY.fit(), inliers, outliers, replace(RECIPE, batch=31))
    with pytest.raises(DataError, match="batch of 10 does not fit 'shapes-aux' with its 9 images"):
        Training(network(), ENERGY.fit(), inliers, outliers, replace(RECIPE, outlier_batch=10))


def test_batches_that_processes_cannot_share_are_told(inliers: ArraySet, outliers: ArraySet) -> None:
    class Three(Fabric):
        world_size = property(lambda self: 3)  # type: ignore[assignment]

    with pytest.raises(DataError, match=r"Batches of 8 and 4 cannot be shared by 6 parts.*Choose multiples of 6"):
        Training(
            network(),
            ENERGY.fit(),
            inliers,
            outliers,
            replace(RECIPE, accumulate=2),
            Three(accelerator="cpu", devices=1),
        )


def test_images_without_a_class_or_with_one_too_many_are_refused(inliers: ArraySet) -> None:
    with pytest.raises(DataError, match="'shapes' has images without a class"):
        Training(network(), ENERGY.fit(), replace(inliers, labels=torch.full_like(inliers.labels, -1)), None, RECIPE)
    with pytest.raises(DataError, match="'shapes' has a class number 9; the network ends at 4"):
        Training(build("resnet-8-w4", 5), ENERGY.fit(), inliers, None, RECIPE)


def test_outliers_of_another_size_are_told(inliers: ArraySet, outliers: ArraySet) -> None:
    larger = replace(outliers, images=outliers.images.repeat(1, 1, 2, 2))
    with pytest.raises(DataError, match="'shapes' has images of 32x32, 'shapes-aux' of 64x64"):
        Training(network(), ENERGY.fit(), inliers, larger, RECIPE)


def test_a_loss_that_needs_outliers_is_not_taken_for_a_diverged_run(inliers: ArraySet) -> None:
    with pytest.raises(ScoreError, match="needs outliers in every batch"):
        next(iter(Training(network(), ENERGY.fit(), inliers, None, RECIPE)))


def test_it_starts_silently(inliers: ArraySet) -> None:
    """Fabric announces its precision on every start otherwise."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    loggers = [logging.getLogger(name) for name in ("lightning.fabric", "lightning.pytorch")]
    for logger in loggers:
        logger.addHandler(handler)
    Training(network(), CrossEntropy().fit(), inliers, None, replace(RECIPE, precision="bf16-mixed"))
    for logger in loggers:
        logger.removeHandler(handler)
    assert lines.getvalue() == ""
