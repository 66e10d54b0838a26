import torch

from oodcore.records import Outputs
from oodcore.scorers.ash_b import ASHB, levelled


def test_equals_pytorch_ood_where_enough_units_are_active(peers, as_maps, fine_world) -> None:
    rows = fine_world.inliers._replace(features=fine_world.inliers.features + 0.01)
    head = fine_world.bank.head
    peer = peers.ASH(None, lambda maps: head(maps.flatten(1)), variant="ash-b", percentile=0.65)
    expected = peer.predict_feature_maps(as_maps(rows.features))
    active = (rows.features > 0.01).sum(1) >= 6
    assert active.sum() > 100
    torch.testing.assert_close(ASHB().fit(fine_world.bank)(rows)[active], expected[active])


def test_spreads_the_sum_over_the_strongest() -> None:
    rows = Outputs(torch.zeros(1, 2), torch.tensor([[4.0, 1.0, 3.0, 2.0]]))
    assert levelled(rows, 50.0).tolist() == [[5.0, 0.0, 5.0, 0.0]]


def test_dead_units_take_no_share_where_pytorch_ood_lets_chance_decide(peers, as_maps) -> None:
    features = torch.tensor([[0.0, 0.0, 6.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    peer = peers.ASH(None, lambda maps: maps.flatten(1), variant="ash-b", percentile=0.5, detector=lambda maps: maps)
    assert (peer.predict_feature_maps(as_maps(features)) > 0).sum() == 4
    assert torch.equal(levelled(Outputs(torch.zeros(1, 2), features), 50.0), features.double())


def test_the_order_of_units_does_not_matter() -> None:
    features, order = torch.tensor([[0.0, 2.0, 0.0, 2.0, 1.0, 0.0]]), torch.tensor([5, 3, 1, 0, 4, 2])
    first = levelled(Outputs(torch.zeros(1, 2), features), 50.0)
    second = levelled(Outputs(torch.zeros(1, 2), features[:, order]), 50.0)
    assert torch.equal(first[:, order], second)
