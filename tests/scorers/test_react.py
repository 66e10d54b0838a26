import numpy as np
import pytest
import torch

from oodcore.records import Outputs
from oodcore.scorers.react import ReAct, clipped


def test_equals_pytorch_ood_on_maps_of_one_pixel(peers, as_maps, fine_world) -> None:
    bank = fine_world.bank
    peer = peers.ReAct(None, lambda maps: bank.head(maps.flatten(1)), percentile=0.9)
    peer.fit_feature_maps(as_maps(bank.outputs.features), bank.labels)
    score = ReAct().fit(bank)
    assert score.limit == pytest.approx(peer.threshold)
    expected = peer.predict_feature_maps(as_maps(fine_world.outliers.features))
    torch.testing.assert_close(score(fine_world.outliers), expected)


def test_the_limit_is_a_quantile_of_all_values_together(world) -> None:
    expected = np.quantile(world.bank.outputs.features.double().numpy(), 0.8)
    assert ReAct(keep=0.8).fit(world.bank).limit == pytest.approx(expected)


def test_clips_from_above_only() -> None:
    rows = Outputs(torch.zeros(1, 2), torch.tensor([[-1.0, 0.5, 2.0]]))
    assert clipped(rows, 1.0).tolist() == [[-1.0, 0.5, 1.0]]


def test_keeping_everything_changes_no_training_row(world) -> None:
    score = ReAct(keep=1.0).fit(world.bank)
    assert torch.equal(score.shape(world.bank.outputs), world.bank.outputs.features.double())
