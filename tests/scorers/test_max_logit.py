import torch

from oodcore.records import Outputs
from oodcore.scorers.max_logit import MaxLogit


def test_is_the_negative_largest_logit() -> None:
    logits = torch.tensor([[1.0, 5.0, 2.0], [-3.0, -1.0, -2.0]])
    assert MaxLogit().fit()(Outputs(logits, torch.zeros(2, 1))).tolist() == [-5.0, 1.0]


def test_equals_pytorch_ood(peers, fine_world) -> None:
    expected = peers.MaxLogit.score(fine_world.outliers.logits)
    torch.testing.assert_close(MaxLogit().fit()(fine_world.outliers), expected)
