import torch

from oodcore.records import Outputs
from oodcore.scorers.ash_p import ASHP, pruned


def test_equals_pytorch_ood_on_maps_of_one_pixel(peers, as_maps, fine_world) -> None:
    head = fine_world.bank.head
    peer = peers.ASH(None, lambda maps: head(maps.flatten(1)), variant="ash-p", percentile=0.65)
    expected = peer.predict_feature_maps(as_maps(fine_world.inliers.features))
    torch.testing.assert_close(ASHP().fit(fine_world.bank)(fine_world.inliers), expected)


def test_keeps_the_strongest_of_each_row() -> None:
    rows = Outputs(torch.zeros(2, 2), torch.tensor([[4.0, 1.0, 3.0, 2.0], [1.0, 8.0, 0.0, 9.0]]))
    assert pruned(rows, 50.0).tolist() == [[4.0, 0.0, 3.0, 0.0], [0.0, 8.0, 0.0, 9.0]]


def test_pruning_nothing_is_what_follows_alone(fine_world) -> None:
    from oodcore.scorers.energy import Energy

    score = ASHP(percentile=0.0).fit(fine_world.bank)
    torch.testing.assert_close(score(fine_world.inliers), Energy().fit()(fine_world.inliers))


def test_one_feature_remains_at_least() -> None:
    assert pruned(Outputs(torch.zeros(1, 2), torch.tensor([[1.0, 2.0]])), 99.0).tolist() == [[0.0, 2.0]]
