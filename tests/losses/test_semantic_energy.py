"""Semantic energy against worked numbers and closed forms, and against what must make it worse on a small world."""

import math
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from oodcore.errors import ScoreError
from oodcore.functional import Distance, Reading, cluster_focal, representation_score, squared_distances
from oodcore.losses import Objective, Terms
from oodcore.losses.semantic_energy import SemanticEnergy, SemanticEnergyObjective
from oodcore.metrics import accuracy, auroc
from oodcore.models import build
from oodcore.records import Bank, Head, Outputs

V = torch.tensor([[1.0, 0.0], [0.2, 0.1], [2.0, 2.0]], dtype=torch.float64)
C = torch.tensor([[1.0, 0.5], [-1.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
Y = torch.tensor([0, 1, 2])
EUCLID = SemanticEnergy(distance="euclidean", margin_in=-3.0, margin_out=-1.0, pull=0.0, margin_push=1.0)


def objective(loss: SemanticEnergy = EUCLID, centers: Tensor = C, margin_push: float = 1.0) -> SemanticEnergyObjective:
    """Features are embeddings."""
    return SemanticEnergyObjective(loss, torch.eye(2).double(), centers, margin_push)


def outputs(features: Tensor, logits: Tensor | None = None) -> Outputs:
    if logits is None:
        logits = 2 * torch.randn(len(features), 3, generator=torch.Generator().manual_seed(len(features))).double()
    return Outputs(logits, features)


OUTSIDE = outputs(torch.tensor([[0.3, 0.2], [0.9, 1.1], [-0.5, 0.4], [1.0, 0.6]], dtype=torch.float64))


def bank_of(features: Tensor, labels: Tensor, k: int) -> Bank:
    head = Head(torch.zeros(k, features.shape[1]), torch.zeros(k))
    return Bank(Outputs(torch.zeros(len(features), k), features), labels, head)


@pytest.fixture
def bank() -> Bank:
    """Nine ReLU features in three classes."""
    labels = torch.arange(90) % 3
    return bank_of((torch.randn(3, 9)[labels] + 0.5 * torch.randn(90, 9)).relu(), labels, 3)


# --- values


@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-5)])
@pytest.mark.parametrize(
    ("gamma", "pull", "expected"), [(2.0, 0.0, 0.340313), (0.0, 0.0, 0.758643), (2.0, 0.1, 0.530313)]
)
def test_cluster_term_of_the_worked_example(
    gamma: float, pull: float, expected: float, kind: torch.dtype, tolerance: float
) -> None:
    loss = replace(EUCLID, gamma=gamma, pull=pull, weight_cluster=3.0)
    found = objective(loss).to(kind)(outputs(V.to(kind)), Y, outputs(V.to(kind)))["cluster"]
    assert found.item() == pytest.approx(3 * expected, abs=3 * tolerance)


def test_push_of_the_worked_example() -> None:
    """One near centre at the origin: R of a point on the axis is its squared distance, 0.2, 0.9 and 1.5."""
    far = torch.tensor([[0.0, 0], [100, 0], [-100, 0]], dtype=torch.float64)
    points = torch.tensor([[0.0, r**0.5] for r in (0.2, 0.9, 1.5)], dtype=torch.float64)
    loss = replace(EUCLID, weight_push=0.5)
    fitted = objective(loss, far)
    assert fitted(outputs(V), Y, outputs(points))["push"].item() == pytest.approx(0.5 * 0.216667, abs=1e-6)
    assert fitted.activity(outputs(V), outputs(points))["push"].item() == pytest.approx(2 / 3)


def test_energy_hinges_by_hand() -> None:
    inside = torch.tensor([[2.0, 2, 2], [-1, -1, -1], [5, 5, 5]], dtype=torch.float64)
    outside = torch.tensor([[0.0, 0, 0], [-9, -9, -9]], dtype=torch.float64)
    energies = [-2 - math.log(3), 1 - math.log(3), -5 - math.log(3)], [-math.log(3), 9 - math.log(3)]
    loss = replace(EUCLID, weight=0.3)
    terms = objective(loss)(outputs(V, inside), Y, outputs(V[:2], outside))
    assert terms["energy_in"].item() == pytest.approx(0.3 * sum(max(0, e + 3) ** 2 for e in energies[0]) / 3)
    assert terms["energy_out"].item() == pytest.approx(0.3 * sum(max(0, -1 - e) ** 2 for e in energies[1]) / 2)
    assert terms["cross_entropy"].item() == pytest.approx(math.log(3))


@pytest.mark.parametrize(
    ("reading", "distance"), [("A", "cosine"), ("A", "euclidean"), ("B", "cosine"), ("B", "euclidean"), ("C", "cosine")]
)
def test_every_reading_reaches_the_cluster_loss(reading: Reading, distance: Distance) -> None:
    loss = SemanticEnergy(reading=reading, distance=distance, gamma=1.5, temperature=0.7, pull=0.2)
    found = objective(loss)(outputs(V), Y, OUTSIDE)["cluster"]
    expected = cluster_focal(V, Y, C, reading=reading, distance=distance, temperature=0.7, gamma=1.5, pull=0.2)
    assert found.item() == pytest.approx(expected.item())


@pytest.mark.parametrize(("distance", "temperature", "pull"), [("cosine", 0.1, 0.5), ("euclidean", 1.0, 0.05)])
def test_a_distance_brings_its_usual_numbers(distance: Distance, temperature: float, pull: float) -> None:
    usual, chosen = SemanticEnergy(distance=distance), SemanticEnergy(distance=distance, temperature=0.4, pull=0.0)
    assert (usual.tau, usual.eta) == (temperature, pull)
    assert (chosen.tau, chosen.eta) == (0.4, 0.0)


def test_half_precision_is_computed_in_float32_under_autocast_too() -> None:
    fitted, inside, outside = objective().float(), outputs(V.float()), outputs(V.float())
    expected = fitted(inside, Y, outside)
    with torch.autocast("cpu", torch.bfloat16):
        found = fitted(inside, Y, outside)
    halves = fitted(Outputs(*(x.half() for x in inside[:2])), Y, Outputs(*(x.half() for x in outside[:2])))
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value.item(), rel=1e-6)
        assert halves[name].dtype == torch.float32
        assert halves[name].item() == pytest.approx(value.item(), rel=2e-3)


# --- gradients


@pytest.mark.parametrize(
    ("term", "reading", "distance"),
    [
        ("cross_entropy", "A", "cosine"),
        ("energy_in", "A", "cosine"),
        ("energy_out", "A", "cosine"),
        ("cluster", "A", "cosine"),
        ("cluster", "A", "euclidean"),
        ("cluster", "C", "cosine"),
        ("push", "A", "cosine"),
        ("push", "A", "euclidean"),
    ],
)
def test_the_gradient_of_each_term_numerically(term: str, reading: Reading, distance: Distance) -> None:
    """Reading B's weight is a constant to the gradient but not to a difference, so it has a test of its own."""
    loss = replace(EUCLID, reading=reading, distance=distance, temperature=0.8, pull=0.3)
    fitted = objective(loss, margin_push=2.0)
    fitted.projection.data = torch.tensor([[1.0, 0.3], [-0.2, 0.8]], dtype=torch.float64)
    inside, outside = outputs(V + 0.05), OUTSIDE
    leaves = [value.clone().requires_grad_() for value in (*inside[:2], *outside[:2])]

    def value(a: Tensor, b: Tensor, c: Tensor, d: Tensor, *_: Tensor) -> Tensor:
        return fitted(Outputs(a, b), Y, Outputs(c, d))[term]

    assert value(*leaves).item() > 1e-3
    assert torch.autograd.gradcheck(value, (*leaves, fitted.projection, fitted.centers))


def test_gradients_of_the_worked_example() -> None:
    v, fitted = V.clone().requires_grad_(), objective()
    fitted(outputs(v), Y, OUTSIDE)["cluster"].backward()
    of_v = [-0.000104, 0.000002, 0.814788, 0.243777, 0.433158, -0.649826]
    of_c = [0.116429, 0.491428, -0.502451, -0.041834, -0.861820, -0.043548]
    assert v.grad is not None
    assert fitted.centers.grad is not None
    assert v.grad.flatten().tolist() == pytest.approx(of_v, abs=1e-6)
    assert fitted.centers.grad.flatten().tolist() == pytest.approx(of_c, abs=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0, 3.0])
def test_focal_term_and_pull_have_their_closed_gradients(gamma: float) -> None:
    """2w/τ (Σ q_k c_k - c_y) has no pull towards c_y of its own; η adds 2η (v - c_y)."""
    tau, eta, v = 0.7, 0.3, V.clone().requires_grad_()
    fitted = objective(replace(EUCLID, gamma=gamma, temperature=tau, pull=eta))
    fitted(outputs(v), Y, OUTSIDE)["cluster"].backward()
    gaps = (V[:, None] - C).square().sum(2)
    q = (-gaps / tau).softmax(1)
    p = q.gather(1, Y[:, None])
    w = (1 - p) ** gamma - gamma * p * (1 - p) ** (gamma - 1) * p.log()
    own = F.one_hot(Y, 3).double()
    of_v = 2 * w / tau * (q @ C - C[Y]) + 2 * eta * (V - C[Y])
    of_c = -2 * ((w / tau * (own - q) + eta * own)[:, :, None] * (V[:, None] - C)).sum(0)
    assert v.grad is not None
    torch.testing.assert_close(v.grad, of_v / 3, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(fitted.centers.grad, of_c / 3, rtol=1e-9, atol=1e-12)


def test_reading_b_pulls_with_a_fixed_weight() -> None:
    v = V.clone().requires_grad_()
    objective(replace(EUCLID, reading="B"))(outputs(v), Y, OUTSIDE)["cluster"].backward()
    q = (-(V[:, None] - C).square().sum(2)).softmax(1).gather(1, Y[:, None])
    torch.testing.assert_close(v.grad, 2 * (1 - q) ** 2 * (V - C[Y]) / 3, rtol=1e-9, atol=1e-12)


def test_push_has_its_closed_gradient() -> None:
    """dR/dv = 2 (v - Σ q_k c_k), on the rows inside the margin alone."""
    v = OUTSIDE.features.clone().requires_grad_()
    objective()(outputs(V), Y, OUTSIDE._replace(features=v))["push"].backward()
    gaps = (v.detach()[:, None] - C).square().sum(2)
    gap = (1 + (-gaps).logsumexp(1)).relu()[:, None]
    away = 2 * (v.detach() - (-gaps).softmax(1) @ C)
    assert bool((gap > 0).any())
    torch.testing.assert_close(v.grad, 0.1 * -2 * gap * away / len(v), rtol=1e-9, atol=1e-12)


def test_energy_hinges_have_their_closed_gradient() -> None:
    """dE/dg = -softmax(g), on the wrong side of the margin alone."""
    inside, outside = outputs(V), OUTSIDE
    for logits in (inside.logits, outside.logits):
        logits.requires_grad_()
    terms = objective()(inside, Y, outside)
    found = torch.autograd.grad(terms["energy_in"] + terms["energy_out"], (inside.logits, outside.logits))
    energy = [-logits.detach().logsumexp(1, keepdim=True) for logits in (inside.logits, outside.logits)]
    slopes = [-0.2 * (energy[0] + 3).relu() / 3, 0.2 * (-1 - energy[1]).relu() / 4]
    for gradient, slope, logits in zip(found, slopes, (inside.logits, outside.logits), strict=True):
        assert bool((slope != 0).any())
        torch.testing.assert_close(gradient, slope * logits.detach().softmax(1), rtol=1e-9, atol=1e-12)


# --- warm-up and switches


def test_during_warm_up_only_cross_entropy_and_cluster_loss_count() -> None:
    fitted = objective(replace(EUCLID, warm_up=2))
    whole = fitted(outputs(V), Y, OUTSIDE)
    for step in (0, 1):
        fitted.stage(step)
        early = fitted(outputs(V), Y, OUTSIDE)
        assert [name for name, value in early.items() if value.item()] == ["cross_entropy", "cluster"]
        assert list(early) == list(whole)
        assert early["push"].requires_grad  # the same graph as later, which data-parallel training wants
    fitted.stage(2)
    assert {name: value.item() for name, value in fitted(outputs(V), Y, OUTSIDE).items()} == {
        name: value.item() for name, value in whole.items()
    }
    assert min(value.item() for value in whole.values()) > 0


def test_activity_is_told_during_warm_up_too() -> None:
    fitted = objective()
    before = fitted.activity(outputs(V), OUTSIDE)
    fitted.stage(0)
    assert fitted.activity(outputs(V), OUTSIDE) == before
    assert set(before) == {"energy_in", "energy_out", "push"}


def test_terms_that_are_switched_off_stay_in_the_list_as_zero() -> None:
    terms = objective(replace(EUCLID, weight=0.0, weight_cluster=0.0, weight_push=0.0))(outputs(V), Y, OUTSIDE)
    assert list(terms) == ["cross_entropy", "energy_in", "energy_out", "cluster", "push"]
    assert [name for name, value in terms.items() if value.item()] == ["cross_entropy"]


def test_it_is_an_objective_whose_parameters_can_be_told_apart() -> None:
    fitted = objective()
    assert isinstance(fitted, Objective)
    assert [name for name, _ in fitted.named_parameters()] == ["projection", "centers"]
    assert fitted.terms(outputs(V), Y, OUTSIDE) == fitted(outputs(V), Y, OUTSIDE)


# --- fitting


def test_cosine_centres_start_as_mean_directions(bank: Bank) -> None:
    fitted = SemanticEnergy(width=5, seed=1).fit(bank)
    assert fitted.projection.shape == (5, 9)
    assert fitted.margin_push == 1.0
    torch.testing.assert_close(fitted.projection @ fitted.projection.mT, torch.eye(5), rtol=0, atol=1e-5)
    directions = F.normalize(bank.outputs.features @ fitted.projection.mT, dim=1)
    expected = torch.stack([directions[bank.labels == label].mean(0) for label in range(3)])
    torch.testing.assert_close(fitted.centers.detach(), expected.detach(), rtol=1e-4, atol=1e-5)


def test_a_projection_to_more_dimensions_keeps_lengths(bank: Bank) -> None:
    fitted = SemanticEnergy(width=20).fit(bank)
    lengths = fitted.embed(bank.outputs.features).norm(dim=1)
    torch.testing.assert_close(lengths.detach(), bank.outputs.features.norm(dim=1))


def test_euclidean_distances_start_around_one(bank: Bank) -> None:
    scaled = replace(bank, outputs=bank.outputs._replace(features=37 * bank.outputs.features))
    for evidence in (bank, scaled):
        fitted = SemanticEnergy(distance="euclidean", width=6).fit(evidence)
        points = fitted.embed(evidence.outputs.features).detach()
        means = torch.stack([points[bank.labels == label].mean(0) for label in range(3)])
        torch.testing.assert_close(fitted.centers.detach(), means, rtol=1e-4, atol=1e-5)
        assert torch.cdist(points, means).square().mean().item() == pytest.approx(1, rel=1e-4)
        scores = representation_score(points, means, distance="euclidean", temperature=1.0)
        beyond = sorted(scores.tolist())[89] + 1  # the 99th percentile of 90 is the last
        assert fitted.margin_push == pytest.approx(beyond, rel=1e-4)


def test_a_given_push_margin_stands(bank: Bank) -> None:
    assert SemanticEnergy(margin_push=0.4).fit(bank).margin_push == 0.4
    assert SemanticEnergy(margin_push=0.4, distance="euclidean").fit(bank).margin_push == 0.4


def test_the_seed_decides_the_projection_and_nothing_else_does(bank: Bank) -> None:
    first = SemanticEnergy().fit(bank).projection
    state = torch.get_rng_state()
    assert torch.equal(SemanticEnergy().fit(bank).projection, first)
    assert not torch.equal(SemanticEnergy(seed=1).fit(bank).projection, first)
    assert torch.equal(torch.get_rng_state(), state)


def test_what_the_bank_lacks_is_said(bank: Bank) -> None:
    with pytest.raises(ScoreError, match="Pass it a bank"):
        SemanticEnergy().fit()
    with pytest.raises(ScoreError, match=r"Classes \[2\] have no row"):
        SemanticEnergy().fit(bank.take(bank.labels < 2))
    with pytest.raises(ScoreError, match="without a class"):
        SemanticEnergy().fit(replace(bank, labels=-torch.ones_like(bank.labels)))
    flat = replace(bank, outputs=bank.outputs._replace(features=torch.ones(90, 9)))
    with pytest.raises(ScoreError, match="All features"):
        SemanticEnergy(distance="euclidean").fit(flat)


def test_outputs_of_another_network_are_refused(bank: Bank) -> None:
    fitted, wide = SemanticEnergy().fit(bank), Outputs(torch.zeros(2, 3), torch.zeros(2, 8))
    with pytest.raises(ScoreError, match="fitted on 9 features, and these outputs have 8"):
        fitted(wide, Y[:2], wide)
    more = Outputs(torch.zeros(2, 4), torch.zeros(2, 9))
    with pytest.raises(ScoreError, match="3 class centres, and the network has 4"):
        fitted(more, Y[:2], more)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"weight": -0.1}, "weight must be 0 or more"),
        ({"weight_cluster": -1.0}, "weight_cluster"),
        ({"weight_push": float("nan")}, "weight_push"),
        ({"gamma": -1.0}, "gamma"),
        ({"pull": -1.0}, "pull"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"margin_push": float("inf")}, "margin_push must be finite"),
        ({"margin_in": -5.0, "margin_out": -23.0}, "margin_in must lie below"),
        ({"width": 0}, "width must be at least 1"),
        ({"warm_up": -1}, "warm_up"),
        ({"reading": "C", "distance": "euclidean"}, "Reading C"),
    ],
)
def test_numbers_out_of_range_are_refused(numbers: dict, said: str) -> None:
    with pytest.raises(ScoreError, match=said):
        SemanticEnergy(**numbers)


def test_the_network_carries_what_was_trained() -> None:
    model = build("resnet-8-w4", ("ant", "bee", "cow")).eval()
    labels = torch.arange(30) % 3
    images = torch.randn(30, 3, 16, 16)
    with torch.no_grad():
        before = model(images)
    fitted = SemanticEnergy(width=6).fit(Bank(before, labels, model.head))
    fitted.attach(model)
    with torch.no_grad():
        after = model(images)
    assert before.embeddings is None
    assert after.embeddings is not None
    assert torch.equal(after.logits, before.logits)
    torch.testing.assert_close(after.embeddings, fitted.embed(before.features).detach())
    assert model.centers is not None
    kept = model.centers.clone()
    with torch.no_grad():
        fitted.centers.add_(1)
    assert torch.equal(model.centers, kept)
    fitted.attach(model)
    assert torch.equal(model.centers, fitted.centers)


# --- a small world: what must make it better, and worse


class World(NamedTuple):
    """Gaussian classes in twelve dimensions: six known, three auxiliary, three to be found; and midpoints of two."""

    images: Tensor
    labels: Tensor
    outliers: Tensor
    test: Tensor
    test_labels: Tensor
    strange: Tensor


class Trained(NamedTuple):
    """A fine-tuned network, and how it came about."""

    net: nn.Module
    objective: SemanticEnergyObjective
    before: SemanticEnergyObjective
    last: Terms

    def embed(self, points: Tensor, *, start: bool = False) -> Tensor:
        return (self.before if start else self.objective).embed(self.net.body(points)).detach()

    def found(self, world: World, centers: Tensor | None = None) -> float:
        """AUROC of the representation score."""
        means = self.objective.centers.detach() if centers is None else centers
        sides = (representation_score(self.embed(points), means) for points in (world.test, world.strange))
        return auroc(*sides)

    def right(self, world: World) -> float:
        return accuracy(self.net(world.test).logits.detach(), world.test_labels)


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.fc = nn.Linear(32, 6)

    def forward(self, points: Tensor) -> Outputs:
        features = self.body(points)
        return Outputs(self.fc(features), features)


@cache
def world() -> World:
    draw = torch.Generator().manual_seed(0)
    means = 2 * torch.randn(12, 12, generator=draw)

    def around(centres: Tensor) -> Tensor:
        return centres + torch.randn(centres.shape, generator=draw)

    labels, test_labels = torch.arange(2400) % 6, torch.arange(900) % 6
    between = torch.randint(0, 6, (2, 450), generator=draw)
    between[1] = (between[0] + 1 + between[1] % 5) % 6
    unseen = means[9 + torch.arange(450) % 3]
    strange = torch.cat([around(unseen), around((means[between[0]] + means[between[1]]) / 2)])
    outliers = around(means[6 + torch.arange(2400) % 3])
    return World(around(means[labels]), labels, outliers, around(means[test_labels]), test_labels, strange)


@cache
def trained(pull: float = 0.5, inliers_as_outliers: bool = False) -> Trained:
    """100 steps of cross-entropy, then 150 of semantic energy, 20 of them warm-up."""
    torch.manual_seed(0)
    (images, labels, outliers, *_), net = world(), Small()
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    for _ in range(100):
        rows = torch.randint(0, len(images), (64,))
        optimizer.zero_grad()
        F.cross_entropy(net(images[rows]).logits, labels[rows]).backward()
        optimizer.step()
    with torch.no_grad():
        known, strange = net(images), net(outliers)
    margins = (-known.logits.logsumexp(1)).quantile(0.25).item(), (-strange.logits.logsumexp(1)).quantile(0.75).item()
    loss = SemanticEnergy(margin_in=margins[0], margin_out=margins[1], pull=pull, width=16, warm_up=20)
    bank = Bank(known, labels, Head(net.fc.weight.detach(), net.fc.bias.detach()))
    fitted, before = loss.fit(bank), loss.fit(bank)
    optimizer = torch.optim.SGD([*net.parameters(), *fitted.parameters()], 0.02, momentum=0.9)
    outliers = images if inliers_as_outliers else outliers
    for step in range(150):
        fitted.stage(step)
        rows, others = torch.randint(0, len(images), (64,)), torch.randint(0, len(outliers), (128,))
        optimizer.zero_grad()
        torch.stack([*fitted(net(images[rows]), labels[rows], net(outliers[others])).values()]).sum().backward()
        optimizer.step()
    return Trained(net, fitted, before, fitted(net(images), labels, net(outliers)))


@pytest.mark.slow
def test_clusters_become_tight_and_stay_apart() -> None:
    run, here = trained(), world()
    centers = run.objective.centers.detach()
    own = squared_distances(run.embed(here.test), centers, "cosine").gather(1, here.test_labels[:, None]).mean()
    start = squared_distances(run.embed(here.test, start=True), run.before.centers.detach(), "cosine")
    between = squared_distances(centers, centers, "cosine").sum() / 30
    assert own < 0.5 * start.gather(1, here.test_labels[:, None]).mean()
    assert between > 10 * own
    assert run.right(here) > 0.98


@pytest.mark.slow
def test_without_the_pull_the_representation_score_is_worse() -> None:
    assert trained().found(world()) > trained(pull=0.0).found(world()) + 0.05


@pytest.mark.slow
def test_centres_whose_coordinates_are_shuffled_across_classes_find_less() -> None:
    """Handing whole centres to other classes changes nothing: the score asks for any centre, not for the right one."""
    run, here = trained(), world()
    centers, draw = run.objective.centers.detach(), torch.Generator().manual_seed(0)
    renamed = centers[torch.randperm(6, generator=draw)]
    mixed = torch.stack([column[torch.randperm(6, generator=draw)] for column in centers.mT], dim=1)
    assert run.found(here, renamed) == pytest.approx(run.found(here), abs=1e-3)
    assert run.found(here, mixed) < run.found(here) - 0.05


@pytest.mark.slow
def test_with_known_images_as_outliers_the_hinges_conflict_and_accuracy_drops() -> None:
    """No energy satisfies both margins: whatever it is, the two hinges together keep half of the squared gap."""
    honest, fooled, here = trained(), trained(inliers_as_outliers=True), world()
    loss = fooled.objective.loss
    floor = loss.weight * (loss.margin_out - loss.margin_in) ** 2 / 2
    assert (fooled.last["energy_in"] + fooled.last["energy_out"]).item() >= floor
    assert (honest.last["energy_in"] + honest.last["energy_out"]).item() < 0.01 * floor
    assert fooled.right(here) < honest.right(here) - 0.005
