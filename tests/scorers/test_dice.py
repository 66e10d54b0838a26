import pytest
import torch

from oodcore.records import Head
from oodcore.scorers.dice import DICE, sparsified


def test_equals_pytorch_ood(peers, fine_world) -> None:
    bank = fine_world.bank
    peer = peers.DICE(None, bank.head.weight, bank.head.bias.float(), p=0.7)
    peer.fit_features(bank.outputs.features, bank.labels)
    score = DICE(sparsity=0.7).fit(bank)
    assert torch.equal(score.head.weight != 0, peer.masked_w != 0)
    expected = peer.predict_features(fine_world.outliers.features.float()).double()
    torch.testing.assert_close(score(fine_world.outliers), expected, rtol=1e-5, atol=1e-5)


def test_keeps_the_weights_that_contribute_most() -> None:
    head = Head(torch.tensor([[1.0, -9.0], [3.0, 2.0]]), torch.tensor([0.5, 0.0]))
    thinned = sparsified(head, torch.tensor([1.0, 2.0], dtype=torch.float64), 0.5)
    assert thinned.weight.tolist() == [[0.0, 0.0], [3.0, 2.0]]  # contributions 1, -18, 3, 4
    assert thinned.bias.tolist() == [0.5, 0.0]


def test_removing_nothing_is_what_follows_alone(fine_world) -> None:
    from oodcore.scorers.energy import Energy

    score = DICE(sparsity=0.0).fit(fine_world.bank)
    torch.testing.assert_close(score(fine_world.inliers), Energy().fit()(fine_world.inliers))


@pytest.mark.parametrize("sparsity", [0.25, 0.5, 0.9])
def test_the_share_is_the_share_of_weights(sparsity: float) -> None:
    draw = torch.Generator().manual_seed(2)
    head = Head(torch.randn(10, 40, generator=draw), torch.zeros(10))
    kept = sparsified(head, torch.rand(40, generator=draw, dtype=torch.float64), sparsity).weight != 0
    assert kept.sum().item() == pytest.approx(400 * (1 - sparsity), abs=1)
