import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.losses.balanced_energy import BalancedEnergy, trained_with
from oodcore.losses.energy import Energy
from oodcore.priors import temper
from oodcore.records import Outputs

COUNTS = torch.tensor([600, 300, 90, 10])
OUTSIDE = torch.tensor([[2, 1, 0, -1], [-1, 0, 1, 2], [0, 0, 0, 0]], dtype=torch.float64)
INSIDE = torch.tensor([[6, 0, 0, 0], [3, 2, 0, 0]], dtype=torch.float64)
LABELS = torch.tensor([0, 1])
CASE = BalancedEnergy(weight=1.0, margin_in=-5, margin_out=-3, alpha=10, gamma=0.75)
HERE = BalancedEnergy(weight=1.0, margin_in=-9, margin_out=-4, alpha=3, gamma=0.75)
"""Margins around the energies of the `batch`, so that the hinges pull on some rows and rest on others."""


def outside_term(loss: BalancedEnergy, logits: Tensor, prior: object = COUNTS) -> Tensor:
    return loss.fit(prior)(INSIDE[:, :1].expand(-1, logits.shape[1]), LABELS, logits)["energy_out"]


def reference(
    inside: np.ndarray, labels: np.ndarray, outside: np.ndarray, counts: np.ndarray, loss: BalancedEnergy
) -> list[float]:
    """Row by row, as the released training script computes it; shares no code with what it checks."""

    def lse(row: np.ndarray) -> float:
        return float(np.log(np.exp(row).sum()))

    def tempered(gamma: float) -> np.ndarray:
        return counts**gamma / (counts**gamma).sum()

    margin, weight = tempered(loss.gamma), tempered(loss.gamma if loss.gamma_weight is None else loss.gamma_weight)
    softmax = [np.exp(row) / np.exp(row).sum() for row in outside]
    pulls = [
        max(0.0, loss.margin_out + loss.alpha * float(s @ margin) + lse(row)) ** 2
        for s, row in zip(softmax, outside, strict=True)
    ]
    counted = [float(s @ weight) for s in softmax]
    return [
        float(np.mean([lse(row) - row[y] for row, y in zip(inside, labels, strict=True)])),
        loss.weight * float(np.mean([max(0.0, -lse(row) - loss.margin_in) ** 2 for row in inside])),
        loss.weight * float(np.dot(counted, pulls) / np.sum(counted)),
    ]


def test_worked_example() -> None:
    """Cases E and E4."""
    terms = CASE.fit(COUNTS)(INSIDE, LABELS, OUTSIDE)
    assert terms["energy_out"].item() == pytest.approx(8.020554, abs=1e-6)
    assert terms["energy_in"].item() == pytest.approx(1.306490, abs=1e-6)
    assert terms["cross_entropy"].item() == pytest.approx(0.695469, abs=1e-6)
    whole = dataclasses.replace(CASE, weight=0.1).fit(COUNTS)(INSIDE, LABELS, OUTSIDE)
    assert sum(value.item() for value in whole.values()) == pytest.approx(1.628173, abs=1e-6)


def test_the_worked_example_tells_wrong_variants_apart() -> None:
    """What an unweighted mean, a mean without normalisation, and the plain loss would give in case E."""
    found = CASE.fit(COUNTS)(INSIDE, LABELS, OUTSIDE)["energy_out"].item()
    share = (OUTSIDE.softmax(1) @ temper(COUNTS, 0.75)).numpy()
    hinge = np.maximum(0, -3 + 10 * share + OUTSIDE.logsumexp(1).numpy()) ** 2
    assert hinge.tolist() == pytest.approx([13.909211, 0.121058, 0.785518], abs=1e-6)
    assert (share / share.sum()).tolist() == pytest.approx([0.557267, 0.117934, 0.324799], abs=1e-6)
    assert hinge.mean() == pytest.approx(4.938595, abs=1e-6)
    assert (share * hinge).mean() == pytest.approx(2.057823, abs=1e-6)
    plain = Energy(1.0, -5, -3).fit()(INSIDE, LABELS, OUTSIDE)["energy_out"].item()
    assert plain == 0
    assert min(abs(found - wrong) for wrong in (4.938595, 2.057823, plain)) > 1


@pytest.mark.parametrize("alpha", [0.0, 3.0, 10.0])
@pytest.mark.parametrize("gamma", [0.0, 0.75, 2.0])
@pytest.mark.parametrize("gamma_weight", [None, 0.0, 1.5])
def test_equals_the_release_row_by_row(
    batch: tuple[Tensor, Tensor, Tensor], alpha: float, gamma: float, gamma_weight: float | None
) -> None:
    loss = BalancedEnergy(0.3, -8.0, -4.0, alpha, gamma, gamma_weight)
    counts = np.array([600.0, 0.0, 90.0, 10.0])
    expected = reference(*(tensor.numpy() for tensor in batch), counts, loss)
    found = [value.item() for value in loss.fit(counts)(*batch).values()]
    assert found == pytest.approx(expected, rel=1e-12)


def test_margin_and_weight_have_exponents_of_their_own(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    both = [dataclasses.replace(HERE, gamma=a, gamma_weight=b) for a in (0.2, 1.0) for b in (0.2, 1.0)]
    values = [loss.fit(COUNTS)(*batch)["energy_out"].item() for loss in both]
    assert len(set(values)) == 4
    same = dataclasses.replace(HERE, gamma=0.2).fit(COUNTS)(*batch)["energy_out"].item()
    assert same == values[0], "None is the same exponent"


def test_gradient_of_the_worked_example() -> None:
    """Case F."""
    logits = OUTSIDE.clone().requires_grad_()
    (slope,) = torch.autograd.grad(outside_term(CASE, logits), logits)
    expected = [
        [5.922163, -0.332700, -0.928167, -0.504637],
        [-0.130733, -0.178125, -0.063978, 0.454902],
        [-0.112257, 0.083890, 0.254964, 0.349140],
    ]
    torch.testing.assert_close(slope, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("margin", "weight"),
    [(False, False), (True, True), (True, False), (False, True)],
    ids=["none cut", "both cut", "margin cut", "weight cut"],
)
def test_gradients_equal_the_closed_form(batch: tuple[Tensor, Tensor, Tensor], margin: bool, weight: bool) -> None:
    r"""$\frac{s_i}{S} [(h^2 - L)(\pi_i - Z) + 2 \alpha Z h (\pi_i - Z) + 2 Z h]$: the first part comes from the
    weight, the second from the margin, and only the last is left when both are cut.
    """
    logits = batch[2].requires_grad_()
    loss = dataclasses.replace(HERE, detach_margin=margin, detach_weight=weight)
    value = outside_term(loss, logits)
    (found,) = torch.autograd.grad(value, logits)
    with torch.no_grad():
        prior, s = temper(COUNTS, 0.75), logits.softmax(1)
        z = (s @ prior)[:, None]
        h = (-4 + 3 * z + logits.logsumexp(1, keepdim=True)).clamp_min(0)
        inside = 2 * z * h
        if not weight:
            inside = inside + (h.square() - value) * (prior - z)
        if not margin:
            inside = inside + 2 * 3 * z * h * (prior - z)
        expected = s / z.sum() * inside
    assert 0 < (h > 0).sum() < len(h), "some rows are pulled, some rest"
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-13)


def test_detaching_changes_the_gradient_but_not_the_value() -> None:
    """In the worked example even signs differ."""
    logits = OUTSIDE.clone().requires_grad_()
    cut = dataclasses.replace(CASE, detach_margin=True, detach_weight=True)
    values = [outside_term(loss, logits) for loss in (CASE, cut)]
    slopes = [torch.autograd.grad(value, logits)[0] for value in values]
    assert values[0].item() == values[1].item()
    assert bool((slopes[1] > 0).all())
    assert bool((slopes[0] < 0).any())


def test_gradcheck(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    inside, labels, outside = batch
    objective = HERE.fit(COUNTS)
    inputs = (inside.requires_grad_(), outside.requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b: tuple(objective(a, labels, b).values()), inputs, fast_mode=True)


def test_gamma_zero_is_energy_with_its_margin_raised_in_the_worked_example() -> None:
    """Case E3: -3 + 10/4 = -0.5."""
    level = dataclasses.replace(CASE, gamma=0.0).fit(COUNTS)(INSIDE, LABELS, OUTSIDE)
    plain = Energy(1.0, -5, -0.5).fit()(INSIDE, LABELS, OUTSIDE)
    assert level["energy_out"].item() == pytest.approx(2.771397, abs=1e-6)
    assert plain["energy_out"].item() == pytest.approx(2.771397, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(alpha=st.floats(0, 20), seed=st.integers(0, 10**6))
def test_gamma_zero_is_energy_with_its_margin_raised(alpha: float, seed: int) -> None:
    draws = torch.Generator().manual_seed(seed)
    inside, outside = (2 * torch.randn(n, 4, generator=draws, dtype=torch.float64) for n in (3, 8))
    labels = torch.tensor([0, 1, 3])
    outside.requires_grad_()
    level = BalancedEnergy(0.1, -9, -6, alpha, gamma=0.0).fit(COUNTS)(inside, labels, outside)
    plain = Energy(0.1, -9, -6 + alpha / 4).fit()(inside, labels, outside)
    assert [value.item() for value in level.values()] == pytest.approx([value.item() for value in plain.values()])
    slopes = [torch.autograd.grad(terms["energy_out"], outside)[0] for terms in (level, plain)]
    torch.testing.assert_close(slopes[0], slopes[1], rtol=1e-9, atol=1e-12)


def test_empty_classes_weigh_as_released_at_gamma_zero_and_nothing_on_request() -> None:
    """0^0 is 1, and 0 to any other power 0: the loss jumps at gamma 0."""
    counts = torch.tensor([3, 1, 0, 0])
    rare = torch.tensor([[0.0, 0.0, 9.0, 0.0]], dtype=torch.float64)
    level = dataclasses.replace(CASE, gamma=0.0)
    found = [
        outside_term(loss, rare, counts).item()
        for loss in (level, dataclasses.replace(level, gamma=1e-9), dataclasses.replace(level, zero_stays_zero=True))
    ]
    energy = -math.log(3 + math.exp(9))
    assert found[0] == pytest.approx((-3 + 10 / 4 - energy) ** 2)
    share = 1 / (3 + math.exp(9))  # half the prior on each of the two classes that hold outliers
    assert found[1:] == pytest.approx([(-3 + 10 * share - energy) ** 2] * 2)


def test_a_batch_whose_weights_are_all_zero_costs_nothing() -> None:
    """Outliers that are certain of a class that no outlier fell into: 0/0 must not reach the optimiser."""
    certain = torch.tensor([[-2e3, -2e3, -2e3, 0.0]], dtype=torch.float64, requires_grad=True)
    value = outside_term(CASE, certain, torch.tensor([3, 2, 1, 0]))
    (slope,) = torch.autograd.grad(value, certain)
    assert value.item() == 0
    assert bool(slope.isfinite().all())


def test_the_prior_may_come_in_any_scale_and_form(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    whole = HERE.fit(COUNTS)(*batch)
    for same in (COUNTS / 1000, (7 * COUNTS).tolist(), COUNTS.numpy()):
        found = HERE.fit(same)(*batch)
        assert [v.item() for v in found.values()] == pytest.approx([v.item() for v in whole.values()], rel=1e-6)


def test_activity_counts_the_raised_margin(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    inside, _, outside = (torch.cat([part, part]) if part.ndim == 2 else part for part in batch)
    found = HERE.fit(COUNTS).activity(Outputs(inside, inside), Outputs(outside, outside))
    margins = -4 + 3 * (outside.softmax(1) @ temper(COUNTS, 0.75))
    assert found["energy_out"].item() == pytest.approx((-outside.logsumexp(1) < margins).double().mean().item())
    assert found["energy_in"].item() == pytest.approx((-inside.logsumexp(1) > -9).double().mean().item())
    plain = (-outside.logsumexp(1) < -4).double().mean().item()
    assert plain != pytest.approx(found["energy_out"].item()), "or the test could not tell"


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ({"alpha": -1.0}, "alpha must be 0 or more; got -1"),
        ({"gamma": -0.5}, r"gamma must be 0 or more; got -0\.5"),
        ({"gamma_weight": -0.5}, r"gamma_weight must be 0 or more; got -0\.5"),
        ({"weight": -0.1}, r"weight must be 0 or more; got -0\.1"),
        ({"margin_in": -5.0, "margin_out": -23.0}, "margin_in must lie below margin_out"),
    ],
)
def test_numbers_out_of_their_range_are_refused(numbers: dict[str, float], sentence: str) -> None:
    with pytest.raises(ScoreError, match=sentence):
        BalancedEnergy(**numbers)


@pytest.mark.parametrize(
    ("prior", "sentence"),
    [
        (None, "needs the outliers' class prior"),
        ([0, 0, 0], "All counts are zero"),
        ([1, -1, 3], "0 or more and finite"),
        ([1.0, math.nan], "0 or more and finite"),
    ],
)
def test_no_prior_from_these(prior: list[float] | None, sentence: str) -> None:
    with pytest.raises(ScoreError, match=sentence):
        BalancedEnergy().fit(prior)


def test_a_prior_of_another_number_of_classes_is_told() -> None:
    with pytest.raises(ScoreError, match=r"The prior has 3 classes, the network 4\. Count the outliers with"):
        BalancedEnergy().fit([1, 2, 3])(INSIDE, LABELS, OUTSIDE)


def test_crowding_and_margin_of_a_sample_are_those_of_its_softmax() -> None:
    """Softmax 0.5, 0.3, 0.2, 0 by a prior of 0.4, 0.3, 0.2, 0.1: Z = 0.2 + 0.09 + 0.04."""
    objective = dataclasses.replace(CASE, gamma=1.0, gamma_weight=0.5).fit([4, 3, 2, 1])
    shares = torch.tensor([0.5, 0.3, 0.2, 0.0])
    assert float(objective.crowding(shares)) == pytest.approx(0.33)
    assert float(objective.margins(shares)) == pytest.approx(-3 + 10 * 0.33)
    below = -OUTSIDE.logsumexp(dim=1) < CASE.fit(COUNTS).margins(OUTSIDE.softmax(dim=1))
    assert CASE.fit(COUNTS).pushed(OUTSIDE).tolist() == below.tolist()


def test_what_a_checkpoint_was_trained_with_is_read_from_its_card() -> None:
    recipe = {"loss": {"name": "balanced_energy", **dataclasses.asdict(CASE)}, "outlier_prior": COUNTS.tolist()}
    found = trained_with(recipe, 4)
    assert found is not None
    assert found.loss == CASE
    assert torch.equal(found.margin_prior, temper(COUNTS, 0.75))


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"loss": {"name": "energy"}, "outlier_prior": [1, 2, 3, 4]},
        {"loss": {"name": "balanced_energy"}},
        {"loss": {"name": "balanced_energy"}, "outlier_prior": [1, 2, 3]},
        {"loss": {"name": "balanced_energy", "alpha": "much"}, "outlier_prior": [1, 2, 3, 4]},
        {"loss": {"name": "balanced_energy", "alpha": -1}, "outlier_prior": [1, 2, 3, 4]},
        {"loss": {"name": "balanced_energy"}, "outlier_prior": [0, 0, 0, 0]},
    ],
)
def test_other_cards_name_no_balanced_energy(recipe: dict[str, object]) -> None:
    assert trained_with(recipe, 4) is None


@pytest.mark.parametrize("loss", [CASE, dataclasses.replace(CASE, gamma=2.0, gamma_weight=0.25)])
def test_margins_and_weights_of_a_class_are_those_of_an_outlier_wholly_taken_for_it(loss: BalancedEnergy) -> None:
    """Its hinge rests exactly at the class's margin, and its part of the loss is as the class's weight."""
    objective = loss.fit(COUNTS)
    for label, (margin, weight) in enumerate(zip(objective.class_margins, objective.class_weights, strict=True)):
        sure = torch.full((1, 4), -1000.0, dtype=torch.float64)
        for shift, active in ((1e-6, 1.0), (-1e-6, 0.0)):
            sure[0, label] = shift - float(margin)
            inside = Outputs(INSIDE, INSIDE)
            assert objective.activity(inside, Outputs(sure, sure))["energy_out"] == active
            assert objective.pushed(sure).tolist() == [bool(active)]
        share = float(temper(COUNTS, loss.gamma if loss.gamma_weight is None else loss.gamma_weight)[label])
        assert float(weight) == pytest.approx(4 * share)
    assert float(objective.class_weights.mean()) == pytest.approx(1.0)
