import inspect
import math
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.functional import (
    cluster_focal,
    feature_norm,
    free_energy,
    joint_energy,
    jsd_to_uniform,
    kl_from_uniform,
)

BOTH = pytest.mark.parametrize(("kind", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-5)])

# Worked example: three rows, three centres, squared Euclidean distances.
V = torch.tensor([[1, 0], [0.2, 0.1], [2, 2]], dtype=torch.float64)
C = torch.tensor([[1, 0.5], [-1, 0], [0, 2]], dtype=torch.float64)
Y = torch.tensor([0, 1, 2])

Reading = Literal["A", "B", "C"]


def jmax(k: int) -> float:
    """Jensen-Shannon divergence of one certain class from uniform."""
    m = np.array([(k + 1) / (2 * k)] + [1 / (2 * k)] * (k - 1))
    return float(-(m * np.log(m)).sum() - 0.5 * math.log(k))


@BOTH
@pytest.mark.parametrize(
    ("logits", "temperature", "expected"),
    [
        ([2, 1, 0], 1, -2.407606),
        ([2, 1, 0], 0.5, -2.071466),
        ([2, 1, 0], 2, -3.360539),
        ([2, 1, 0], 10, -12.019428),
        ([0, 0, 0], 1, -1.098612),
        ([8, 2, 1], 1, -8.003385),
        ([8, 2, 1], 2, -8.153893),
        ([0] * 10, 1, -2.302585),
        ([0] * 10, 2, -4.605170),
    ],
)
def test_free_energy(
    logits: list[int], temperature: float, expected: float, kind: torch.dtype, tolerance: float
) -> None:
    found = free_energy(torch.tensor([logits], dtype=kind), temperature)
    assert found.item() == pytest.approx(expected, abs=tolerance)


def test_free_energy_of_huge_logits_is_finite_and_shifts_with_them() -> None:
    logits = torch.tensor([[1e4, 0.0], [-1e4, -1e4]])
    assert free_energy(logits).tolist() == pytest.approx([-1e4, 1e4 - math.log(2)])


def test_free_energy_keeps_the_axes_of_a_dense_map() -> None:
    assert free_energy(torch.zeros(2, 4, 5, 3)).shape == (2, 4, 5)


@BOTH
@pytest.mark.parametrize(
    ("logits", "temperature", "expected"),
    [
        ([2, 1, 0], 1, 0.068712),
        ([2, 1, 0], 2, 0.019796),
        ([8, 2, 1], 1, 0.308308),
        ([1, 1, -2], 1, 0.094183),
        ([1, 1, -2], 2, 0.041691),
        ([0, 0, 0], 1, 0.0),
        ([0, 0, 0], 3, 0.0),
        ([20, 0, 0], 1, 0.318257),
        ([20, 0, 0], 2, 0.317821),
        ([4, 3.9, -6], 0.5, 0.133301),
        ([3, 1, 0.9], 0.5, 0.257708),
        ([3, 1, 0.9], 2, 0.031556),
    ],
)
def test_jsd(logits: list[float], temperature: float, expected: float, kind: torch.dtype, tolerance: float) -> None:
    found = jsd_to_uniform(torch.tensor([logits], dtype=kind), temperature)
    assert found.item() == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("temperature", "expected"), [(1.0, [0.071099, -0.029318, -0.041781]), (2.0, [0.021180, -0.004750, -0.016430])]
)
def test_gradient_of_jsd(temperature: float, expected: list[float]) -> None:
    logits = torch.tensor([[2.0, 1, 0]], dtype=torch.float64, requires_grad=True)
    jsd_to_uniform(logits, temperature).sum().backward()
    assert logits.grad is not None
    assert logits.grad[0].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("k", [2, 3, 10, 19])
def test_jsd_of_a_certain_row_is_its_maximum_and_pushes_nowhere(k: int) -> None:
    """In probabilities this is 0 · log 0."""
    logits = torch.zeros(1, k)
    logits[0, 0] = 200
    logits.requires_grad_()
    found = jsd_to_uniform(logits)
    found.sum().backward()
    assert found.item() == pytest.approx(jmax(k), abs=1e-6)
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros(1, k))


@settings(max_examples=40, deadline=None)
@given(scale=st.sampled_from([1e-6, 1e-3, 1.0, 60.0, 1e4]), k=st.integers(2, 30), seed=st.integers(0, 999))
def test_jsd_is_finite_never_negative_and_bounded(scale: float, k: int, seed: int) -> None:
    logits = scale * torch.randn(20, k, generator=torch.Generator().manual_seed(seed))
    found = jsd_to_uniform(logits)
    assert bool(((found >= 0) & (found <= jmax(k) + 1e-6)).all())
    assert jsd_to_uniform(logits.flip(1)).tolist() == pytest.approx(found.tolist(), abs=1e-6)
    assert jsd_to_uniform(logits.double() + 7).tolist() == pytest.approx(found.tolist(), abs=1e-5)


def test_jsd_near_uniform_is_quadratic() -> None:
    logits = 1e-3 * torch.randn(50, 7, dtype=torch.float64)
    p = logits.softmax(dim=1)
    assert jsd_to_uniform(logits).tolist() == pytest.approx((7 / 8 * (p - 1 / 7).square().sum(1)).tolist(), rel=1e-2)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_jsd_of_half_precision_logits_is_computed_in_single(kind: torch.dtype) -> None:
    logits = (10 * torch.randn(30, 19)).to(kind)
    assert jsd_to_uniform(logits).dtype == torch.float32
    assert torch.equal(jsd_to_uniform(logits), jsd_to_uniform(logits.float()))


@BOTH
def test_feature_norm_cuts_negatives_first_and_averages_over_channels(kind: torch.dtype, tolerance: float) -> None:
    maps = torch.tensor([[[[3, -1], [0, 4]], [[-2, -3], [-1, -5]], [[1, 1], [1, 1]]]], dtype=kind)
    assert feature_norm(maps).tolist() == pytest.approx([2.333333], abs=tolerance)


def test_feature_norm_scales_with_the_maps_and_ignores_where_things_are() -> None:
    maps = torch.randn(4, 3, 5, 6, dtype=torch.float64)
    assert feature_norm(3 * maps).tolist() == pytest.approx((3 * feature_norm(maps)).tolist())
    assert feature_norm(maps.flip(2, 3)).tolist() == pytest.approx(feature_norm(maps).tolist())


def euclid(v: Tensor = V, c: Tensor = C, *, gamma: float = 2.0, pull: float = 0.0) -> Tensor:
    return cluster_focal(v, Y, c, distance="euclidean", temperature=1.0, gamma=gamma, pull=pull)


@BOTH
@pytest.mark.parametrize(
    ("gamma", "pull", "expected"), [(2.0, 0.0, 0.340313), (0.0, 0.0, 0.758643), (2.0, 0.1, 0.530313)]
)
def test_cluster_focal_of_the_worked_example(
    gamma: float, pull: float, expected: float, kind: torch.dtype, tolerance: float
) -> None:
    assert euclid(V.to(kind), C.to(kind), gamma=gamma, pull=pull).item() == pytest.approx(expected, abs=tolerance)


def test_gradients_of_the_worked_example() -> None:
    v, c = V.clone().requires_grad_(), C.clone().requires_grad_()
    euclid(v, c).backward()
    assert v.grad is not None
    assert c.grad is not None
    of_v = [-0.000104, 0.000002, 0.814788, 0.243777, 0.433158, -0.649826]
    of_c = [0.116429, 0.491428, -0.502451, -0.041834, -0.861820, -0.043548]
    assert v.grad.flatten().tolist() == pytest.approx(of_v, abs=1e-6)
    assert c.grad.flatten().tolist() == pytest.approx(of_c, abs=1e-6)


@pytest.mark.parametrize(
    ("gamma", "expected"),
    [
        (1.0, [1.036052, 1.130259, 1.121888, 0.846574, 0.194824, 0.019950]),
        (2.0, [1.071282, 1.224465, 1.155020, 0.596574, 0.028965, 0.000299]),
        (3.0, [1.105705, 1.288528, 1.130024, 0.384930, 0.003845, 0.000004]),
    ],
)
def test_weight_of_the_gradient_at_each_confidence(gamma: float, expected: list[float]) -> None:
    """Two centres one apart on a line: the slope of the loss along it is -w(p) (1 - p) times that of the gap, 2."""
    found = []
    for p in (0.01, 0.1, 0.2, 0.5, 0.9, 0.99):
        x = torch.tensor([[(math.log(p / (1 - p)) + 1) / 2, 0.0]], dtype=torch.float64, requires_grad=True)
        centers = torch.tensor([[1.0, 0], [0, 0]], dtype=torch.float64)
        cluster_focal(
            x, torch.tensor([0]), centers, distance="euclidean", temperature=1.0, gamma=gamma, pull=0.0
        ).backward()
        assert x.grad is not None
        found.append(-x.grad[0, 0].item() / (2 * (1 - p)))
    assert found == pytest.approx(expected, abs=1e-6)


def reference(
    v: np.ndarray, y: np.ndarray, c: np.ndarray, reading: str, distance: str, tau: float, gamma: float, pull: float
) -> float:
    """Row by row in plain floats."""
    terms = []
    for row, label in zip(v, y, strict=True):
        cos = [row @ k / np.linalg.norm(row) / np.linalg.norm(k) for k in c]
        gaps = np.array([2 - 2 * a for a in cos] if distance == "cosine" else [((row - k) ** 2).sum() for k in c])
        q = np.exp(-gaps / tau) / np.exp(-gaps / tau).sum()
        if reading == "A":
            terms.append((1 - q[label]) ** gamma * -np.log(q[label]) + pull * gaps[label])
        elif reading == "B":
            terms.append((1 - q[label]) ** gamma * gaps[label])
        else:
            p = 1 / (1 + np.exp(-10 * (np.array(cos) - 0.5)))
            true = np.where(np.arange(len(c)) == label, p, 1 - p)
            terms.append(((1 - true) ** gamma * -np.log(true)).sum())
    return float(np.mean(terms))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 3.5])
@pytest.mark.parametrize(
    ("reading", "distance"),
    [("A", "cosine"), ("A", "euclidean"), ("B", "cosine"), ("B", "euclidean"), ("C", "cosine")],
)
def test_every_reading_row_by_row(reading: Reading, distance: Literal["cosine", "euclidean"], gamma: float) -> None:
    v, c, y = torch.randn(9, 4).double(), torch.randn(5, 4).double(), torch.randint(0, 5, (9,))
    tau, pull = 0.7, 0.3
    found = cluster_focal(v, y, c, reading=reading, distance=distance, temperature=tau, gamma=gamma, pull=pull)
    expected = reference(v.numpy(), y.numpy(), c.numpy(), reading, distance, tau, gamma, pull)
    assert found.item() == pytest.approx(expected, rel=1e-9)


def test_the_defaults_are_reading_a_on_cosines() -> None:
    v, c, y = torch.randn(6, 4).double(), torch.randn(3, 4).double(), torch.randint(0, 3, (6,))
    expected = reference(v.numpy(), y.numpy(), c.numpy(), "A", "cosine", 0.1, 2.0, 0.5)
    assert cluster_focal(v, y, c).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("reading", "distance"), [("A", "cosine"), ("A", "euclidean"), ("C", "cosine")])
def test_gradients_of_the_readings_numerically(reading: Reading, distance: Literal["cosine", "euclidean"]) -> None:
    y = torch.tensor([0, 2, 1, 1])
    v, c = torch.randn(4, 3).double().requires_grad_(), torch.randn(3, 3).double().requires_grad_()

    def loss(rows: Tensor, centers: Tensor) -> Tensor:
        return cluster_focal(rows, y, centers, reading=reading, distance=distance, temperature=0.8)

    assert torch.autograd.gradcheck(loss, (v, c))


def test_reading_b_pulls_with_a_fixed_weight() -> None:
    """The gradient is 2 (1-q)^γ (v - c_y) / n: nothing flows through the weight."""
    v = V.clone().requires_grad_()
    cluster_focal(v, Y, C, reading="B", distance="euclidean", temperature=1.0).backward()
    q = torch.tensor([0.968833, 0.330432, 0.320809], dtype=torch.float64)
    expected = 2 * (1 - q)[:, None].square() * (V - C[Y]) / 3
    assert v.grad is not None
    assert torch.allclose(v.grad, expected, atol=1e-6)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("reading", ["A", "B", "C"])
def test_a_row_that_is_certainly_right_leaves_everything_finite(
    reading: Reading, gamma: float, kind: torch.dtype
) -> None:
    """Without the clamp the slope of x^0.5 at 0 makes NaN of the gradient."""
    v = torch.tensor([[1.0, 0], [0, 1]], dtype=kind, requires_grad=True)
    c = torch.tensor([[1.0, 0], [-1, 0], [0, 1]], dtype=kind, requires_grad=True)
    loss = cluster_focal(v, torch.tensor([0, 2]), c, reading=reading, temperature=1e-3, gamma=gamma)
    loss.backward()
    assert v.grad is not None
    assert c.grad is not None
    assert bool(loss.isfinite() & v.grad.isfinite().all() & c.grad.isfinite().all())
    if reading != "C":
        assert loss.item() == pytest.approx(0, abs=1e-6)


def test_a_dead_embedding_gives_a_finite_loss_and_gradient() -> None:
    v = torch.zeros(2, 3, requires_grad=True)
    cluster_focal(v, torch.tensor([0, 1]), torch.eye(3)).backward()
    assert v.grad is not None
    assert bool(v.grad.isfinite().all())


@pytest.mark.parametrize("reading", ["A", "B", "C"])
def test_a_batch_without_rows_is_zero_and_can_still_be_differentiated(reading: Reading) -> None:
    v, c = torch.zeros(0, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    loss = cluster_focal(v, torch.zeros(0, dtype=torch.int64), c, reading=reading)
    loss.backward()
    assert loss.item() == 0
    assert c.grad is not None
    assert torch.equal(c.grad, torch.zeros(4, 3))


def test_half_precision_and_autocast_compute_in_single() -> None:
    v, c, y = torch.randn(8, 16), torch.randn(4, 16), torch.randint(0, 4, (8,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(cluster_focal(v, y, c), cluster_focal(v, y, c))
        inside = cluster_focal(v, y, c)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, cluster_focal(v, y, c))
    assert cluster_focal(v.bfloat16(), y, c).dtype == torch.float32


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), scale=st.floats(0.1, 100))
def test_cosines_ignore_lengths_and_order_of_rows_and_classes(seed: int, scale: float) -> None:
    maker = torch.Generator().manual_seed(seed)
    v, c = torch.randn(7, 5, generator=maker).double(), torch.randn(4, 5, generator=maker).double()
    y, order, renamed = torch.randint(0, 4, (7,), generator=maker), torch.randperm(7), torch.randperm(4)
    for reading in ("A", "B", "C"):
        before = cluster_focal(v, y, c, reading=reading)
        after = cluster_focal(scale * v[order], renamed.argsort()[y[order]], c[renamed], reading=reading)
        assert after.item() == pytest.approx(before.item(), rel=1e-9)


def test_what_the_readings_do_not_define_is_refused() -> None:
    plain = inspect.unwrap(cluster_focal)
    with pytest.raises(ScoreError, match="defined on cosines"):
        cluster_focal(V, Y, C, reading="C", distance="euclidean")
    with pytest.raises(ScoreError, match="'A', 'B' or 'C'"):
        plain(V, Y, C, reading="D")
    with pytest.raises(ScoreError, match="'cosine' or 'euclidean'"):
        plain(V, Y, C, distance="manhattan")
    for wrong in ({"temperature": 0.0}, {"gamma": -1.0}, {"pull": -0.1}):
        with pytest.raises(ScoreError, match="temperature must be above 0"):
            cluster_focal(V, Y, C, **wrong)


@pytest.mark.gpu
@pytest.mark.parametrize("reading", ["A", "B", "C"])
def test_the_loss_is_the_same_on_the_gpu(reading: Reading) -> None:
    found = cluster_focal(V.cuda(), Y.cuda(), C.cuda(), reading=reading)
    assert found.is_cuda
    assert found.item() == pytest.approx(cluster_focal(V, Y, C, reading=reading).item(), rel=1e-9)


@BOTH
@pytest.mark.parametrize(
    ("logits", "temperature", "expected"),
    [
        ([2, 1, 0], 1, 0.308994),
        ([2, 1, 0], 2, 0.081657),
        ([8, 2, 1], 1, 3.238106),
        ([1, 1, -2], 1, 0.619124),
        ([1, 1, -2], 2, 0.200304),
        ([0, 0, 0], 3, 0.0),
        ([20, 0, 0], 1, 12.234721),
        ([20, 0, 0], 2, 5.568145),
    ],
)
def test_kl_from_uniform(
    logits: list[float], temperature: float, expected: float, kind: torch.dtype, tolerance: float
) -> None:
    found = kl_from_uniform(torch.tensor([logits], dtype=kind), temperature)
    assert found.item() == pytest.approx(expected, abs=tolerance, rel=tolerance)


@BOTH
@pytest.mark.parametrize(("logits", "expected"), [([2, 1, 0], -4.133337), ([8, 2, 1], -11.440525)])
def test_joint_energy_of_classes_that_do_not_exclude_each_other(
    logits: list[float], expected: float, kind: torch.dtype, tolerance: float
) -> None:
    assert joint_energy(torch.tensor([logits], dtype=kind)).item() == pytest.approx(
        expected, abs=tolerance, rel=tolerance
    )


def test_kl_from_uniform_of_a_row_that_rounds_below_zero_is_zero() -> None:
    nearly = torch.full((1, 7), 1e-4).cumsum(dim=1)
    assert 0 <= kl_from_uniform(nearly).item() < 1e-6
    assert kl_from_uniform(torch.full((2, 3), 300.0)).tolist() == [0, 0]
