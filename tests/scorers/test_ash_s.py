import math

import pytest
import torch

from oodcore.records import Outputs
from oodcore.scorers.ash_s import ASHS, sharpened


def test_equals_pytorch_ood_on_maps_of_one_pixel(peers, as_maps, fine_world) -> None:
    head = fine_world.bank.head
    peer = peers.ASH(None, lambda maps: head(maps.flatten(1)), variant="ash-s", percentile=0.65)
    expected = peer.predict_feature_maps(as_maps(fine_world.inliers.features))
    torch.testing.assert_close(ASHS().fit(fine_world.bank)(fine_world.inliers), expected)


def test_prunes_and_scales_by_the_ratio_of_the_sums() -> None:
    rows = Outputs(torch.zeros(1, 2), torch.tensor([[4.0, 1.0, 3.0, 2.0]]))
    gain = math.exp(10 / 7)
    assert sharpened(rows, 50.0)[0].tolist() == pytest.approx([4 * gain, 0, 3 * gain, 0])
