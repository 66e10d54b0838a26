"""The unsaturated softmax that logit scorers share."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oodcore.scorers._softmax import log_softmax, odds_against_top, surprisal

rows_of_logits = st.lists(st.lists(st.floats(-30, 30), min_size=4, max_size=4), min_size=1, max_size=6)


@settings(max_examples=30, deadline=None)
@given(rows_of_logits, st.floats(0.5, 20))
def test_equals_torch_where_torch_does_not_saturate(logits: list[list[float]], temperature: float) -> None:
    f = torch.tensor(logits, dtype=torch.float64)
    expected = (f / temperature).log_softmax(1)
    torch.testing.assert_close(log_softmax(f, temperature), expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(surprisal(f, temperature), -expected.amax(1), rtol=1e-9, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(rows_of_logits, st.floats(-100, 100))
def test_a_constant_on_all_logits_changes_nothing(logits: list[list[float]], shift: float) -> None:
    f = torch.tensor(logits, dtype=torch.float64)
    torch.testing.assert_close(log_softmax(f + shift), log_softmax(f), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("gap", [1.0, 40.0, 300.0])
def test_keeps_its_digits_for_sure_networks(gap: float) -> None:
    f = torch.tensor([[gap, 0.0, 0.0]])
    rest = 2 * torch.tensor(-gap, dtype=torch.float64).exp()
    torch.testing.assert_close(surprisal(f), rest.log1p()[None], rtol=1e-12, atol=0)
    torch.testing.assert_close(odds_against_top(f), rest.log()[None], rtol=1e-12, atol=0)


def test_one_class_is_certain() -> None:
    assert surprisal(torch.tensor([[3.0], [-2.0]])).tolist() == [0.0, 0.0]


def test_tied_top_classes_share() -> None:
    torch.testing.assert_close(surprisal(torch.full((2, 5), 7.0)), torch.full((2,), 5.0, dtype=torch.float64).log())


def test_gradient_of_the_largest_log_probability() -> None:
    f = torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.5, 3.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f: surprisal(f, 2.0), (f,))
