import math

import pytest
import torch

from oodcore.records import Outputs
from oodcore.scorers.scale import SCALE, scaled


def test_equals_pytorch_ood_on_maps_of_one_pixel(peers, as_maps, fine_world) -> None:
    head = fine_world.bank.head
    peer = peers.SCALE(None, lambda maps: head(maps.flatten(1)), percentile=0.65)
    expected = peer.predict_feature_maps(as_maps(fine_world.inliers.features))
    torch.testing.assert_close(SCALE().fit(fine_world.bank)(fine_world.inliers), expected)


def test_scales_without_pruning() -> None:
    rows = Outputs(torch.zeros(1, 2), torch.tensor([[4.0, 1.0, 3.0, 2.0]]))
    gain = math.exp(10 / 7)
    assert scaled(rows, 50.0)[0].tolist() == pytest.approx([4 * gain, gain, 3 * gain, 2 * gain])


def test_rows_whose_strongest_sum_is_not_positive_stay_as_they_are() -> None:
    rows = Outputs(torch.zeros(1, 2), torch.tensor([[-4.0, -1.0, -3.0, -2.0]]))
    assert torch.equal(scaled(rows, 50.0), rows.features.double())
