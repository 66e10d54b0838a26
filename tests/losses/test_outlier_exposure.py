import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.losses.outlier_exposure import OutlierExposure

INSIDE = torch.tensor([[5, 1, 0], [2, 1, 0]], dtype=torch.float64)
OUTSIDE = torch.tensor([[3, 0, 0], [0.5, 0.2, -1]], dtype=torch.float64)
LABELS = torch.tensor([0, 1])


def exposure(logits: Tensor, weight: float = 1.0) -> Tensor:
    return OutlierExposure(weight).fit()(INSIDE[:, :1].expand(-1, logits.shape[1]), LABELS, logits)["outlier_exposure"]


def test_worked_example() -> None:
    """Case B; 0.586328 is the mean KL(U‖p), which lacks log K."""
    terms = OutlierExposure().fit()(INSIDE, LABELS, OUTSIDE)
    assert terms["cross_entropy"].item() == pytest.approx(0.716175, abs=1e-6)
    assert terms["outlier_exposure"].item() == pytest.approx(0.5 * 1.684940, abs=1e-6)
    assert sum(value.item() for value in terms.values()) == pytest.approx(1.558645, abs=1e-6)
    assert [exposure(OUTSIDE[[row]]).item() for row in (0, 1)] == pytest.approx([2.094923, 1.274957], abs=1e-6)
    assert exposure(OUTSIDE).item() - math.log(3) == pytest.approx(0.586328, abs=1e-6)


def test_equals_the_cross_entropy_to_uniform_row_by_row(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    inside, labels, outside = batch
    shares = np.exp(outside.numpy()) / np.exp(outside.numpy()).sum(1, keepdims=True)
    expected = 0.3 * np.mean([-np.mean(np.log(row)) for row in shares])
    found = OutlierExposure(0.3).fit()(inside, labels, outside)["outlier_exposure"]
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_its_gradient_is_softmax_less_uniform(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    outside = batch[2].requires_grad_()
    (slope,) = torch.autograd.grad(exposure(outside, 0.5), outside)
    torch.testing.assert_close(slope, 0.5 * (outside.softmax(1) - 0.25).detach() / 7, rtol=1e-12, atol=1e-14)


def test_gradcheck(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    inside, labels, outside = batch
    loss = OutlierExposure().fit()
    inputs = (inside.requires_grad_(), outside.requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b: tuple(loss(a, labels, b).values()), inputs, fast_mode=True)


def test_huge_logits_stay_finite() -> None:
    assert exposure(torch.tensor([[1e4, 0.0, 0.0]], dtype=torch.float64)).item() == pytest.approx(2e4 / 3)


@settings(max_examples=30, deadline=None)
@given(shift=st.floats(-100, 100), rows=st.lists(st.floats(-9, 9), min_size=3, max_size=3))
def test_a_shift_of_the_logits_changes_nothing_and_uniform_is_best(shift: float, rows: list[float]) -> None:
    logits = torch.tensor([rows], dtype=torch.float64)
    assert exposure(logits + shift).item() == pytest.approx(exposure(logits).item(), abs=1e-9)
    assert exposure(logits).item() >= math.log(3) - 1e-12


def test_a_negative_weight_and_missing_outliers_are_told() -> None:
    with pytest.raises(ScoreError, match=r"weight must be 0 or more; got -0\.5"):
        OutlierExposure(-0.5)
    with pytest.raises(ScoreError, match="needs outliers in every batch"):
        OutlierExposure().fit()(INSIDE, LABELS, OUTSIDE[:0])
