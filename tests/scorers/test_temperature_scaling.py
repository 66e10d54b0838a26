from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from oodcore.records import Bank, Head, Outputs
from oodcore.scorers.temperature_scaling import TemperatureScaling, best_temperature


def likelihood(logits: Tensor, labels: Tensor, temperature: float) -> float:
    return float((logits / temperature).log_softmax(1).gather(1, labels[:, None]).mean())


def noisy(scale: float = 3.0) -> tuple[Tensor, Tensor]:
    """Logits that are right more often than not."""
    draw = torch.Generator().manual_seed(1)
    labels = torch.arange(400) % 5
    logits = torch.randn(400, 5, generator=draw, dtype=torch.float64)
    logits[torch.arange(400), labels] += 1.0
    return scale * logits, labels


def test_no_other_temperature_is_likelier() -> None:
    logits, labels = noisy()
    found = best_temperature(logits, labels)
    tried = torch.logspace(-1, 1.5, 400).tolist()
    assert likelihood(logits, labels, found) >= max(likelihood(logits, labels, t) for t in tried)


def test_goes_where_pytorch_oods_search_stops_short(peers) -> None:
    logits, labels = noisy()
    theirs = peers.TemperatureScaling(None).fit_logits(logits, labels).t.item()
    ours = best_temperature(logits, labels)
    assert 1 < theirs < ours
    assert likelihood(logits, labels, ours) > likelihood(logits, labels, theirs)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 10))
def test_scales_with_the_logits(scale: float) -> None:
    logits, labels = noisy()
    assert best_temperature(scale * logits, labels) == pytest.approx(scale * best_temperature(logits, labels), rel=1e-6)


def test_a_net_that_never_errs_is_sharpened_until_its_loss_is_nothing() -> None:
    logits = 5 * torch.eye(3, dtype=torch.float64)
    found = best_temperature(logits, torch.arange(3))
    assert 0.01 <= found < 1
    assert likelihood(logits, torch.arange(3), found) == pytest.approx(0, abs=1e-12)


def test_a_net_that_always_errs_gets_the_upper_bound() -> None:
    logits = 5 * torch.eye(3, dtype=torch.float64)
    assert best_temperature(logits, torch.tensor([1, 2, 0])) == pytest.approx(100)


@pytest.mark.parametrize("scale", [0.0, 1e-3, 1e3, 1e8])
def test_any_scale_gives_a_temperature_in_range(scale: float) -> None:
    logits, labels = noisy(scale)
    assert 0.01 <= best_temperature(logits, labels) <= 100


def test_scores_at_the_fitted_temperature() -> None:
    logits, labels = noisy()
    bank = Bank(Outputs(logits, logits), labels, Head(torch.eye(5).double(), torch.zeros(5).double()))
    temperature = best_temperature(logits, labels)
    expected = -(logits / temperature).log_softmax(1).amax(1)
    torch.testing.assert_close(TemperatureScaling().fit(bank)(bank.outputs), expected)


def test_labels_matter(world) -> None:
    right = TemperatureScaling().fit(world.bank)
    wrong = TemperatureScaling().fit(replace(world.bank, labels=world.bank.labels.roll(1)))
    assert wrong.temperature > right.temperature
