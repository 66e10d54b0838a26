import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from oodcore.losses._mean import weighted_mean

VALUES = torch.tensor([1.0, 4.0, 10.0], dtype=torch.float64)
SCRIPT = Path(__file__).with_name("mean_of_two.py")


def test_heavier_rows_count_more() -> None:
    assert weighted_mean(VALUES, torch.tensor([2.0, 1.0, 1.0], dtype=torch.float64)).item() == 4.0
    assert weighted_mean(VALUES, torch.full((3,), 1e-6, dtype=torch.float64)).item() == pytest.approx(5.0)


def test_the_scale_of_the_weights_cancels_in_value_and_gradient() -> None:
    weights = torch.rand(3, dtype=torch.float64)
    for scale in (1.0, 1e3):
        values = VALUES.clone().requires_grad_()
        (slope,) = torch.autograd.grad(weighted_mean(values, scale * weights), values)
        torch.testing.assert_close(slope, weights / weights.sum())


def test_it_is_differentiable_in_values_and_weights() -> None:
    inputs = (VALUES.clone().requires_grad_(), torch.rand(3, dtype=torch.float64).requires_grad_())
    assert torch.autograd.gradcheck(weighted_mean, inputs, fast_mode=True)


def test_no_weight_or_no_rows_give_zero_and_finite_gradients() -> None:
    weights = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    mean = weighted_mean(VALUES, weights)
    assert mean.item() == 0
    assert bool(torch.autograd.grad(mean, weights)[0].isfinite().all())
    assert weighted_mean(VALUES[:0], VALUES[:0]).item() == 0


def cases() -> list[tuple[Tensor, int, float, Tensor]]:
    """Rows, how many of them the first process has, a scale of the weights, and the parameters."""
    start = torch.randn(3, dtype=torch.float64)
    rows = torch.randn(8, 3, dtype=torch.float64)
    return [(rows, cut, scale, start) for cut in (4, 3, 0) for scale in (1.0, 1e-14, 0.0)]


def test_two_processes_have_the_value_and_the_gradient_of_one(tmp_path: Path) -> None:
    """Gradients are averaged over processes, as data-parallel training does. Shares may differ, one may be empty."""
    torch.save(cases(), tmp_path / "cases")
    command = [sys.executable, str(SCRIPT)]
    running = [
        subprocess.Popen([*command, str(rank), str(tmp_path)], stderr=subprocess.PIPE, text=True) for rank in (0, 1)
    ]
    errors = [process.communicate(timeout=600)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], errors
    first, second = (torch.load(tmp_path / f"found {rank}") for rank in (0, 1))
    for (rows, _, scale, start), one, other in zip(torch.load(tmp_path / "cases"), first, second, strict=True):
        theta = start.clone().requires_grad_()
        whole = weighted_mean((rows @ theta).square(), scale * (rows @ theta.flip(0)).sigmoid())
        (slope,) = torch.autograd.grad(whole, theta)
        assert one[0].item() == other[0].item() == pytest.approx(whole.item(), rel=1e-12)
        torch.testing.assert_close((one[1] + other[1]) / 2, slope, rtol=1e-10, atol=1e-14)
