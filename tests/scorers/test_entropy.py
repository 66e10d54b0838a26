import math

import pytest
import torch
from torch import Tensor

from oodcore.records import Outputs
from oodcore.scorers.entropy import Entropy


def scores(logits: Tensor) -> Tensor:
    return Entropy().fit()(Outputs(logits, torch.zeros(len(logits), 1)))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-5)])
def test_published_case(dtype: torch.dtype, tolerance: float) -> None:
    assert scores(torch.tensor([[2.0, 1.0, 0.0]], dtype=dtype)).item() == pytest.approx(0.832396, abs=tolerance)


def test_uniform_is_log_k() -> None:
    assert scores(torch.zeros(1, 7)).item() == pytest.approx(math.log(7))


def test_equals_pytorch_ood_where_that_does_not_clip(peers, fine_world) -> None:
    logits = fine_world.outliers.logits / 4
    torch.testing.assert_close(scores(logits), peers.Entropy.score(logits))


def test_sure_rows_keep_their_digits_where_clipping_ties(peers) -> None:
    gaps = torch.tensor([40.0, 60.0])
    logits = torch.stack([gaps, torch.zeros(2)], dim=1)
    assert peers.Entropy.score(logits).unique().numel() == 1
    rest = (-gaps.double()).exp()
    torch.testing.assert_close(scores(logits), rest * (1 + gaps), rtol=1e-9, atol=0)
