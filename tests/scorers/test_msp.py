import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from oodcore.records import Outputs
from oodcore.scorers.msp import MSP


def scores(logits: Tensor) -> Tensor:
    return MSP().fit()(Outputs(logits, torch.zeros(len(logits), 1)))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-5)])
def test_published_case(dtype: torch.dtype, tolerance: float) -> None:
    (score,) = scores(torch.tensor([[2.0, 1.0, 0.0]], dtype=dtype))
    assert (-score).exp().item() == pytest.approx(0.665241, abs=tolerance)


def test_orders_rows_as_pytorch_ood_does(peers, fine_world) -> None:
    logits = fine_world.outliers.logits
    torch.testing.assert_close(-(-scores(logits)).exp(), peers.MaxSoftmax.score(logits))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=2, max_size=20, unique=True))
def test_sure_networks_do_not_tie(steps: list[int]) -> None:
    gaps = 40 + torch.tensor(sorted(steps), dtype=torch.float32) / 16
    ours = scores(torch.stack([gaps, torch.zeros_like(gaps), torch.zeros_like(gaps)], dim=1))
    assert (ours.diff() < 0).all()


def test_float32_probabilities_of_sure_networks_tie(peers) -> None:
    logits = torch.tensor([[40.0, 0.0, 0.0], [60.0, 0.0, 0.0]])
    assert peers.MaxSoftmax.score(logits).tolist() == [-1.0, -1.0]
    sure, surer = scores(logits).tolist()
    assert sure > surer > 0
