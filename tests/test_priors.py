from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oodcore.errors import ScoreError
from oodcore.priors import log_shares, logit_adjust, majority, outlier_counts, softmax_average, temper
from oodcore.records import Bank, Head, Outputs

COUNTS = torch.tensor([600, 300, 90, 10])
ROWS = torch.tensor([[2, 1, 0, -1], [-1, 0, 1, 2], [0, 0, 0, 0]], dtype=torch.float64)
RESNET18 = [34532, 10862, 29831, 61291, 10739, 35847, 22517, 16038, 29725, 48618]
RESNET18_LONG_TAILED = [74992, 23870, 48917, 74605, 18461, 25514, 9163, 6957, 7157, 10364]
STREETS = [0.152509, 0.013298, 0.106703, 0.040058, 0.033866, 0.005256, 0.001065, 0.027989, 0.080249, 0.097971]
STREETS += [0.002175, 0.153123, 0.029222, 0.087057, 0.119925, 0.016023, 0.007071, 0.017048, 0.009393]
STREETS_CUBED = [0.287066, 0.000190, 0.098316, 0.005202, 0.003143, 0.000012, 0.000000, 0.001774, 0.041823, 0.076101]
STREETS_CUBED += [0.000001, 0.290547, 0.002019, 0.053396, 0.139580, 0.000333, 0.000029, 0.000401, 0.000067]


def outputs(logits: torch.Tensor) -> Outputs:
    return Outputs(logits, torch.zeros(len(logits), 2))


@pytest.mark.parametrize(
    ("gamma", "expected"),
    [
        (0.0, [0.25] * 4),
        (0.05, [0.270979, 0.261749, 0.246457, 0.220815]),
        (0.5, [0.449740, 0.318015, 0.174184, 0.058061]),
        (0.75, [0.531345, 0.315939, 0.128069, 0.024647]),
        (1.0, [0.6, 0.3, 0.09, 0.01]),
        (3.0, [0.886227, 0.110778, 0.002991, 0.000004]),
    ],
)
@pytest.mark.parametrize("kind", [torch.int64, torch.float64, torch.float32])
def test_tempered_prior(gamma: float, expected: list[float], kind: torch.dtype) -> None:
    assert temper(COUNTS.to(kind), gamma).tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("gamma", "expected"),
    [(0.5, [0.633975, 0.366025, 0, 0]), (0.005, [0.501373, 0.498627, 0, 0]), (0.0, [0.25] * 4)],
)
def test_tempered_prior_with_empty_classes(gamma: float, expected: list[float]) -> None:
    assert temper(torch.tensor([3, 1, 0, 0]), gamma).tolist() == pytest.approx(expected, abs=1e-6)


def test_empty_classes_stay_empty_at_gamma_zero_on_request() -> None:
    assert temper(torch.tensor([3, 1, 0, 0]), 0.0, zero_stays_zero=True).tolist() == [0.5, 0.5, 0, 0]
    assert torch.equal(temper(COUNTS, 0.5, zero_stays_zero=True), temper(COUNTS, 0.5))


@pytest.mark.parametrize(
    ("counts", "gamma", "expected"),
    [
        (
            RESNET18,
            0.05,
            [0.101402, 0.095704, 0.100662, 0.104353, 0.095649, 0.101591, 0.099257, 0.097587, 0.100644, 0.103151],
        ),
        (
            RESNET18_LONG_TAILED,
            0.75,
            [0.212142, 0.089899, 0.153979, 0.211321, 0.074141, 0.094504, 0.043842, 0.035660, 0.036426, 0.048085],
        ),
        (
            STREETS,
            3.0,
            STREETS_CUBED,
        ),
    ],
    ids=["CIFAR-10, ResNet-18", "long-tailed CIFAR-10, ResNet-18", "streets"],
)
def test_published_priors(counts: list[float], gamma: float, expected: list[float]) -> None:
    assert temper(counts, gamma).tolist() == pytest.approx(expected, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(0, 10**9), min_size=1, max_size=20).filter(any),
    gamma=st.floats(0, 50),
    scale=st.floats(1e-3, 1e3),
)
def test_a_prior_sums_to_one_keeps_its_order_and_ignores_scale(counts: list[int], gamma: float, scale: float) -> None:
    prior = temper(counts, gamma)
    assert prior.dtype == torch.float64
    assert prior.sum().item() == pytest.approx(1)
    assert temper(scale * np.array(counts), gamma).tolist() == pytest.approx(prior.tolist(), abs=1e-12)
    order = np.argsort(counts)
    assert bool((prior[order].diff() >= 0).all())


@pytest.mark.parametrize(
    ("counts", "gamma", "sentence"),
    [
        (COUNTS, -0.1, "gamma must be 0 or more"),
        (COUNTS, float("nan"), "gamma must be 0 or more"),
        (COUNTS, float("inf"), "gamma must be 0 or more"),
        (torch.zeros(4), 1.0, "All counts are zero"),
        (torch.tensor([1, -1]), 1.0, "0 or more and finite"),
        (torch.tensor([1.0, float("nan")]), 1.0, "0 or more and finite"),
        (torch.zeros(2, 2), 1.0, r"shape \(k,\)"),
        (torch.zeros(0), 1.0, r"shape \(k,\)"),
        (torch.tensor([True, False]), 1.0, "torch.bool"),
        ("abc", 1.0, "Some of these are no numbers"),
        ([1, None], 1.0, "Some of these are no numbers"),
        ([[1], [2, 3]], 1.0, "Some of these are no numbers"),
        ([10**30], 1.0, "Some of these are no numbers"),
        (np.array(["a", "b"]), 1.0, "Some of these are no numbers"),
    ],
)
def test_no_prior_from_these(counts: Any, gamma: float, sentence: str) -> None:
    with pytest.raises(ScoreError, match=sentence):
        temper(counts, gamma)


def test_counts_are_of_the_largest_logit() -> None:
    counts = outlier_counts(ROWS)
    assert counts.dtype == torch.int64
    assert counts.tolist() == [2, 0, 0, 1], "the row of equal logits goes to the first class"


def test_counts_are_the_same_from_one_tensor_records_and_chunks() -> None:
    logits = torch.randn(50, 7)
    expected = torch.tensor(np.bincount(logits.numpy().argmax(1), minlength=7))
    bank = Bank(outputs(logits), torch.full((50,), -1), Head(torch.zeros(7, 2), torch.zeros(7)))
    for source in (logits, outputs(logits), bank, logits.split(8), bank.chunks(8), map(outputs, logits.split(20))):
        assert torch.equal(outlier_counts(source), expected)


def test_counts_are_not_the_average_of_softmax() -> None:
    """Two hesitant rows for class 0 outvote one certain row for class 1 in counts only."""
    logits = torch.tensor([[0.1, 0, 0], [0.1, 0, 0], [0, 50, 0]])
    assert outlier_counts(logits).tolist() == [2, 1, 0]
    average = softmax_average(logits)
    assert average[1] > average[0] > 0.2
    assert average.tolist() == pytest.approx(logits.double().softmax(1).mean(0).tolist())
    assert softmax_average(logits.split(2)).tolist() == pytest.approx(average.tolist())


@pytest.mark.parametrize("count", [outlier_counts, softmax_average])
def test_outliers_that_cannot_be_counted(count: object) -> None:
    assert callable(count)
    for source, sentence in (
        (torch.zeros(0, 3), "no outliers"),
        (iter([]), "no outliers"),
        (torch.tensor([[0.0, float("nan")]]), "NaN or infinity"),
        (torch.zeros(3), r"shape \(n, k\)"),
        (torch.zeros(3, 2, dtype=torch.int64), "must be floats"),
        ([torch.zeros(2, 3), torch.zeros(2, 4)], "4 classes, an earlier one 3"),
    ):
        with pytest.raises(ScoreError, match=sentence):
            count(source)


@pytest.mark.parametrize(
    ("gamma", "expected"),
    [(0.75, [0.428932, 0.090774, 0.25]), (1.0, [0.465577, 0.073137, 0.25]), (0.0, [0.25, 0.25, 0.25])],
)
@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-5)])
def test_majority_of_the_worked_rows(gamma: float, expected: list[float], kind: torch.dtype, tolerance: float) -> None:
    found = majority(ROWS.to(kind), temper(COUNTS, gamma))
    assert found.dtype == kind
    assert found.tolist() == pytest.approx(expected, abs=tolerance)


def test_majority_lies_within_the_prior_and_is_differentiable() -> None:
    logits = torch.randn(3, 5, 4, dtype=torch.float64, requires_grad=True)
    prior = temper(COUNTS, 1.0)
    found = majority(logits, prior)
    assert found.shape == (3, 5)
    assert bool(((found > prior.min()) & (found < prior.max())).all())
    assert torch.autograd.gradcheck(lambda z: majority(z, prior), (logits,))


@pytest.mark.parametrize("kind", [torch.float64, torch.float32])
@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0])
def test_logits_corrected_for_class_frequency(tau: float, kind: torch.dtype) -> None:
    found = logit_adjust(ROWS.to(kind), COUNTS, tau)
    assert found.dtype == kind
    expected = ROWS.numpy() - tau * np.log(np.array([0.6, 0.3, 0.09, 0.01]))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    assert torch.equal(logit_adjust(ROWS.to(kind).expand(2, 3, 4), COUNTS, tau), found.expand(2, 3, 4))


def test_the_correction_undoes_the_bayes_rule() -> None:
    """A posterior under the training frequencies becomes the likelihoods, normalised: the balanced posterior."""
    likelihood = torch.tensor([[0.5, 0.2, 0.2, 0.1]], dtype=torch.float64)
    posterior = likelihood * COUNTS
    found = logit_adjust(posterior.log(), COUNTS).softmax(1)
    assert found.tolist() == [pytest.approx((likelihood / likelihood.sum()).tolist()[0])]


@pytest.mark.parametrize(
    ("counts", "tau", "sentence"),
    [
        (COUNTS, -1.0, "tau must be 0 or more; got -1"),
        (COUNTS, float("nan"), "tau must be 0 or more"),
        ([3, 0, 2, 0], 1.0, r"Every class needs an image.*without one: \[1, 3\]"),
        ([3, -1, 2, 1], 1.0, "0 or more and finite"),
        ([3, 1, 2], 1.0, "Counts are of 3 classes, logits of 4"),
    ],
)
def test_no_correction_from_these(counts: list[int], tau: float, sentence: str) -> None:
    with pytest.raises(ScoreError, match=sentence):
        logit_adjust(ROWS, counts, tau)


def test_log_shares_ignore_scale() -> None:
    assert log_shares([6, 3, 1]).exp().tolist() == pytest.approx([0.6, 0.3, 0.1])
    assert log_shares([600, 300, 100]).tolist() == pytest.approx(log_shares([6, 3, 1]).tolist())


@pytest.mark.gpu
def test_counts_and_prior_stay_on_the_gpu() -> None:
    logits = torch.randn(50, 7)
    counts = outlier_counts(logits.cuda())
    assert counts.is_cuda
    assert torch.equal(counts.cpu(), outlier_counts(logits))
    assert temper(counts, 0.5).is_cuda
    assert majority(logits.cuda(), temper(counts, 0.5)).is_cuda
