import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Outputs
from oodcore.scorers.gen import GEN


def scores(logits: Tensor, **numbers: float) -> Tensor:
    return GEN(**numbers).fit()(Outputs(logits, torch.zeros(len(logits), 1)))


def by_hand(logits: list[float], gamma: float, top: int) -> float:
    p = torch.tensor(logits, dtype=torch.float64).softmax(0)
    return sum((q * (1 - q)) ** gamma for q in sorted(p.tolist(), reverse=True)[:top])


@pytest.mark.parametrize(("gamma", "top"), [(0.1, 100), (0.1, 2), (1.0, 3), (0.5, 1)])
def test_sums_over_the_largest_probabilities(gamma: float, top: int) -> None:
    logits = [0.3, 2.0, -1.0, 1.2]
    assert scores(torch.tensor([logits]), gamma=gamma, top=top).item() == pytest.approx(by_hand(logits, gamma, top))


def test_is_pytorch_oods_mean_times_the_classes(peers, fine_world) -> None:
    logits = fine_world.outliers.logits / 4
    torch.testing.assert_close(scores(logits), peers.GEN.score(logits, 0.1) * logits.shape[1])


def test_sees_what_clamping_at_1e_7_hides(peers) -> None:
    gaps = torch.tensor([20.0, 40.0], dtype=torch.float64)
    logits = torch.stack([gaps, torch.zeros(2, dtype=torch.float64)], dim=1)
    assert peers.GEN.score(logits).unique().numel() == 1
    torch.testing.assert_close(scores(logits), 2 * (-0.1 * gaps).exp(), rtol=1e-6, atol=0)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(5)), st.floats(-50, 50))
def test_neither_class_order_nor_a_shift_matters(order: list[int], shift: float) -> None:
    logits = torch.tensor([[0.3, 2.0, -1.0, 1.2, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(scores(logits[:, order] + shift, top=3), scores(logits, top=3))


@pytest.mark.parametrize("numbers", [{"gamma": 0.0}, {"gamma": 2.0}, {"top": 0}])
def test_impossible_numbers_are_refused(numbers: dict[str, float]) -> None:
    with pytest.raises(ScoreError, match="gamma"):
        GEN(**numbers)
