import numpy as np
import pytest
import torch
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.functional import free_energy
from oodcore.losses.energy import Energy
from oodcore.records import Outputs

INSIDE = torch.tensor([[5, 1, 0], [2, 1, 0]], dtype=torch.float64)
OUTSIDE = torch.tensor([[3, 0, 0], [0.5, 0.2, -1]], dtype=torch.float64)
LABELS = torch.tensor([0, 1])


def reference(inside: np.ndarray, labels: np.ndarray, outside: np.ndarray, loss: Energy) -> float:
    """Row by row; shares no code with what it checks."""

    def lse(row: np.ndarray) -> float:
        return float(np.log(np.exp(row).sum()))

    total = np.mean([lse(row) - row[y] for row, y in zip(inside, labels, strict=True)])
    total += loss.weight * np.mean([max(0.0, -lse(row) - loss.margin_in) ** 2 for row in inside])
    return float(total + loss.weight * np.mean([max(0.0, loss.margin_out + lse(row)) ** 2 for row in outside]))


def test_worked_example() -> None:
    """Case B."""
    terms = Energy(0.1, -6, -2).fit()(INSIDE, LABELS, OUTSIDE)
    assert terms["cross_entropy"].item() == pytest.approx(0.716175, abs=1e-6)
    assert terms["energy_in"].item() == pytest.approx(0.1 * 6.928209, abs=1e-7)
    assert terms["energy_out"].item() == pytest.approx(0.1 * 0.599428, abs=1e-7)
    assert sum(value.item() for value in terms.values()) == pytest.approx(1.468939, abs=1e-6)


@pytest.mark.parametrize(("low", "high"), [(-5.0, -3.0), (-8.0, -1.0), (-30.0, 10.0), (-2.0, -1.5)])
def test_equals_the_formula_row_by_row(batch: tuple[Tensor, Tensor, Tensor], low: float, high: float) -> None:
    inside, labels, outside = batch
    loss = Energy(0.3, low, high)
    found = sum(value.item() for value in loss.fit()(inside, labels, outside).values())
    assert found == pytest.approx(reference(inside.numpy(), labels.numpy(), outside.numpy(), loss), rel=1e-12)


def test_gradients_equal_the_closed_form(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    r"""$\partial E/\partial f = -s$: inside $-2 \lambda h s/n$, outside $+2 \lambda h s/m$."""
    inside, labels, outside = batch[0].requires_grad_(), batch[1], batch[2].requires_grad_()
    terms = Energy(0.1, -4.0, -3.0).fit()(inside, labels, outside)
    (at_inside,) = torch.autograd.grad(terms["energy_in"], inside)
    (at_outside,) = torch.autograd.grad(terms["energy_out"], outside)
    gap = (-inside.logsumexp(1) + 4).clamp_min(0)[:, None]
    torch.testing.assert_close(at_inside, (-0.2 * gap * inside.softmax(1) / 5).detach(), rtol=1e-12, atol=1e-14)
    gap = (-3 + outside.logsumexp(1)).clamp_min(0)[:, None]
    torch.testing.assert_close(at_outside, (0.2 * gap * outside.softmax(1) / 7).detach(), rtol=1e-12, atol=1e-14)
    assert at_inside.any()
    assert at_outside.any()


def test_gradcheck(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    inside, labels, outside = batch
    loss = Energy(0.1, -6.0, -2.0).fit()
    inputs = (inside.requires_grad_(), outside.requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b: tuple(loss(a, labels, b).values()), inputs, fast_mode=True)


def test_rows_on_the_right_side_of_their_margin_cost_nothing() -> None:
    known, strange = torch.tensor([[30.0, 0, 0]]), torch.tensor([[0.0, 0, 0]])
    terms = Energy().fit()(known, torch.tensor([0]), strange)
    assert terms["energy_in"].item() == terms["energy_out"].item() == 0
    terms = Energy().fit()(strange, torch.tensor([0]), known)
    assert terms["energy_in"].item() == pytest.approx(0.1 * (23 - np.log(3)) ** 2)
    assert terms["energy_out"].item() == pytest.approx(0.1 * 25**2)


def test_activity_is_the_share_of_rows_that_are_pulled(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    inside, _, outside = batch
    low, high = (free_energy(rows).median().item() for rows in (inside, outside))
    objective = Energy(margin_in=min(low, high) - 1e-3, margin_out=high).fit()
    found = objective.activity(Outputs(inside, inside), Outputs(outside, outside))
    assert found["energy_in"].item() == pytest.approx((free_energy(inside) > min(low, high) - 1e-3).double().mean())
    assert found["energy_out"].item() == pytest.approx(3 / 7), "the median itself lies on its margin"


@pytest.mark.parametrize(("low", "high"), [(-5.0, -23.0), (-5.0, -5.0), (float("nan"), 0.0), (-9.0, float("inf"))])
def test_margins_the_wrong_way_round_are_refused(low: float, high: float) -> None:
    with pytest.raises(ScoreError, match="margin_in must lie below margin_out, as energies of known images are low"):
        Energy(margin_in=low, margin_out=high)


def test_without_outliers_it_says_so_instead_of_nan() -> None:
    with pytest.raises(ScoreError, match="needs outliers in every batch"):
        Energy().fit()(INSIDE, LABELS, OUTSIDE[:0])
