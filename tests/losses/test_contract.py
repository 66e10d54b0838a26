"""What every loss promises, checked without a list of them. Class centres and projections have tests of their own."""

import dataclasses
import pickle
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from oodcore.errors import ScoreError, UnknownNameError
from oodcore.losses import About, LogitObjective, Loss, Objective, Terms, losses
from oodcore.records import Bank, Head, Outputs

N, M, K, D = 6, 9, 4, 3
COUNTS = torch.tensor([60, 30, 9, 1])
LABELS = torch.tensor([0, 1, 2, 3, 1, 0])
SCALE = 6.0  # wide enough for both hinges to pull on some rows and to rest on others

every_loss = pytest.mark.parametrize("name", losses.names())


def outputs(rows: int, seed: int, kind: torch.dtype = torch.float64) -> Outputs:
    draws = torch.Generator().manual_seed(seed)
    features = torch.randn(rows, D, generator=draws, dtype=torch.float64)
    logits = SCALE * torch.randn(rows, K, generator=draws, dtype=torch.float64)
    return Outputs(logits.to(kind), features.to(kind))


def evidence(about: About) -> Any:
    if about.evidence in ("outlier prior", "class prior"):
        return COUNTS
    if about.evidence == "bank":
        rows = outputs(40, seed=7, kind=torch.float32)
        head = Head(torch.randn(K, D), torch.randn(K))
        return Bank(rows, torch.arange(40) % K, head)
    return None


def fitted(name: str, kind: torch.dtype = torch.float64) -> Objective:
    torch.manual_seed(0)
    kept = losses[name]
    numbers = {"margin_in": -9.0, "margin_out": -4.0}
    own = {field.name for field in dataclasses.fields(kept)}
    objective = kept(**{key: value for key, value in numbers.items() if key in own}).fit(evidence(kept.about))
    return objective.to(kind) if isinstance(objective, nn.Module) else objective


def total(terms: Terms) -> Tensor:
    return torch.stack(list(terms.values())).sum()


@every_loss
def test_the_registered_class_says_what_it_is(name: str) -> None:
    loss = losses[name]
    assert isinstance(loss(), Loss)
    assert loss.__module__ == f"oodcore.losses.{name}"
    assert loss.about.title[0].isupper()
    assert loss.about.source
    assert loss.about.evidence in get_args(get_type_hints(About)["evidence"])
    assert loss.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert loss() == loss()


def test_an_unknown_name_is_answered_with_a_likely_one() -> None:
    with pytest.raises(UnknownNameError, match=r"'balanced-energy'\. Did you mean 'balanced_energy'"):
        losses["balanced-energy"]


@every_loss
def test_terms_are_finite_scalars_with_a_gradient(name: str) -> None:
    inside, outside = outputs(N, 1), outputs(M, 2)
    inside.logits.requires_grad_()
    terms = fitted(name).terms(inside, LABELS, outside)
    assert "cross_entropy" in terms
    for value in terms.values():
        assert value.shape == ()
        assert value.isfinite()
    total(terms).backward()
    assert inside.logits.grad is not None
    assert inside.logits.grad.abs().sum() > 0


@every_loss
def test_outliers_are_looked_at_where_it_says_so(name: str) -> None:
    outside = outputs(M, 2)
    outside.logits.requires_grad_()
    outside.features.requires_grad_()
    value = total(fitted(name).terms(outputs(N, 1), LABELS, outside))
    slopes = [] if not value.requires_grad else torch.autograd.grad(value, outside[:2], allow_unused=True)
    assert any(slope is not None and bool(slope.any()) for slope in slopes) == losses[name].about.outliers


@every_loss
def test_a_loss_that_needs_outliers_says_so_when_there_are_none(name: str) -> None:
    inside, none = outputs(N, 1), outputs(0, 2)
    if losses[name].about.outliers:
        with pytest.raises(ScoreError, match="outliers"):
            fitted(name).terms(inside, LABELS, none)
    else:
        assert total(fitted(name).terms(inside, LABELS, none)).isfinite()


@every_loss
def test_a_batch_without_known_images_is_no_divergence(name: str) -> None:
    with pytest.raises(ScoreError, match="no in-distribution images in this batch"):
        fitted(name).terms(outputs(0, 1), LABELS[:0], outputs(M, 2))


@pytest.mark.usefixtures("unchecked")
@every_loss
def test_logits_of_two_networks_are_refused(name: str) -> None:
    less = Outputs(outputs(M, 2).logits[:, :3], outputs(M, 2).features)
    with pytest.raises(ScoreError, match="have 4 classes, those of outliers 3"):
        fitted(name).terms(outputs(N, 1), LABELS, less)


@every_loss
def test_the_sum_falls_along_its_negative_gradient(name: str) -> None:
    objective, inside, outside = fitted(name), outputs(N, 1), outputs(M, 2)
    tensors = [*inside[:2], *outside[:2]]
    for tensor in tensors:
        tensor.requires_grad_()
    before = total(objective.terms(inside, LABELS, outside))
    slopes = torch.autograd.grad(before, tensors, allow_unused=True)
    assert any(slope is not None and bool(slope.any()) for slope in slopes)
    moved = [value if slope is None else value - 1e-5 * slope for value, slope in zip(tensors, slopes, strict=True)]
    after = total(objective.terms(Outputs(*moved[:2]), LABELS, Outputs(*moved[2:])))
    assert bool(after < before)


@every_loss
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), order=st.integers(0, 10**6))
def test_the_order_of_rows_never_matters(name: str, seed: int, order: int) -> None:
    objective, inside, outside = fitted(name), outputs(N, seed), outputs(M, seed + 1)
    rows, others = np.random.default_rng(order).permutation(N), np.random.default_rng(order + 1).permutation(M)
    mixed = inside.take(torch.from_numpy(rows)), outside.take(torch.from_numpy(others))
    expected = objective.terms(inside, LABELS, outside)
    found = objective.terms(mixed[0], LABELS[rows], mixed[1])
    assert {key: value.item() for key, value in found.items()} == pytest.approx(
        {key: value.item() for key, value in expected.items()}, rel=1e-9, abs=1e-12
    )


@every_loss
def test_each_side_is_averaged_over_itself(name: str) -> None:
    """Showing the outliers three times, or the images twice, changes nothing."""
    objective, inside, outside = fitted(name), outputs(N, 1), outputs(M, 2)
    once = objective.terms(inside, LABELS, outside)
    often = objective.terms(Outputs.join([inside] * 2), LABELS.repeat(2), Outputs.join([outside] * 3))
    assert {key: value.item() for key, value in often.items()} == pytest.approx(
        {key: value.item() for key, value in once.items()}, rel=1e-9
    )


@every_loss
@pytest.mark.parametrize("kind", [torch.float64, torch.float32])
def test_terms_keep_the_precision_of_the_logits(name: str, kind: torch.dtype) -> None:
    terms = fitted(name, kind).terms(outputs(N, 1, kind), LABELS, outputs(M, 2, kind))
    assert {value.dtype for value in terms.values()} == {kind}
    wide = fitted(name).terms(outputs(N, 1), LABELS, outputs(M, 2))
    assert [v.item() for v in terms.values()] == pytest.approx([v.item() for v in wide.values()], rel=1e-4)


def strong(rows: int, seed: int) -> Tensor:
    """Logits of some 300, with both signs."""
    return 300 * (outputs(rows, seed).logits.sign() + outputs(rows, seed + 9).logits / 100)


@every_loss
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("autocast", [False, True])
def test_half_precision_is_computed_in_float32(name: str, kind: torch.dtype, autocast: bool) -> None:
    """The square of an energy of 300 is no float16, and a bfloat16 has three digits."""
    objective = fitted(name, torch.float32)
    half = [Outputs(strong(*part).to(kind), outputs(*part).features.to(kind)) for part in ((N, 1), (M, 2))]
    single = [Outputs(logits.float(), features.float()) for logits, features, *_ in half]
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        found, active = objective.terms(half[0], LABELS, half[1]), objective.activity(*half)
    assert {value.dtype for value in found.values()} == {torch.float32}
    assert all(value.isfinite() for value in found.values())
    assert found == objective.terms(single[0], LABELS, single[1])
    assert active == objective.activity(*single)


@every_loss
def test_activity_is_a_share_for_each_hinge(name: str) -> None:
    inside, outside = outputs(N, 1), outputs(M, 2)
    objective = fitted(name)
    terms, active = objective.terms(inside, LABELS, outside), objective.activity(inside, outside)
    assert set(active) <= set(terms)
    for key, share in active.items():
        assert 0 <= share.item() <= 1
        assert (share.item() > 0) == (terms[key].item() > 0)


@every_loss
def test_fitting_leaves_the_evidence_alone_and_repeats(name: str) -> None:
    before = COUNTS.clone()
    values = [total(fitted(name).terms(outputs(N, 1), LABELS, outputs(M, 2))).item() for _ in range(2)]
    assert values[0] == values[1]
    assert torch.equal(before, COUNTS)


@every_loss
def test_an_objective_without_parameters_survives_pickling(name: str) -> None:
    """Data-parallel training starts other processes."""
    objective = fitted(name)
    if not isinstance(objective, LogitObjective):
        assert isinstance(objective, nn.Module)
        return
    again = pickle.loads(pickle.dumps(objective))
    values = [total(each.terms(outputs(N, 1), LABELS, outputs(M, 2))).item() for each in (objective, again)]
    assert values[0] == values[1]


NUMBERS = [
    (name, field.name)
    for name in losses.names()
    for field in dataclasses.fields(losses[name])
    if isinstance(field.default, float)
]


OPTIONAL = [("balanced_energy", "gamma_weight"), *(("semantic_energy", name) for name in ("pull", "margin_push"))]


@pytest.mark.parametrize(("name", "field"), NUMBERS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_none_are_refused(name: str, field: str, value: float) -> None:
    with pytest.raises(ScoreError, match=field):
        losses[name](**{field: value})


@pytest.mark.parametrize(("name", "field"), [pair for pair in NUMBERS if not pair[1].startswith("margin")])
def test_negative_numbers_are_refused(name: str, field: str) -> None:
    with pytest.raises(ScoreError, match=field):
        losses[name](**{field: -0.1})


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("name", "field", "value"),
    [*((*pair, None) for pair in NUMBERS), *((*pair, value) for pair in NUMBERS + OPTIONAL for value in ("3", True))],
)
def test_what_is_no_number_is_refused(name: str, field: str, value: Any) -> None:
    with pytest.raises(ScoreError, match=f"{field} must be a number; got {value!r}"):
        losses[name](**{field: value})


@pytest.mark.gpu
@every_loss
def test_terms_stay_on_the_gpu(name: str) -> None:
    objective, inside, outside = fitted(name), outputs(N, 1), outputs(M, 2)
    here = objective.terms(inside, LABELS, outside)
    if isinstance(objective, nn.Module):
        objective = objective.cuda()  # type: ignore[assignment]
    there = objective.terms(inside.to("cuda"), LABELS.cuda(), outside.to("cuda"))
    assert all(value.is_cuda for value in there.values())
    assert [v.item() for v in there.values()] == pytest.approx([v.item() for v in here.values()], rel=1e-9)
