import numpy as np
import pytest
import torch

from oodcore.records import Outputs
from oodcore.scorers.vra import VRA, rectified


def test_drops_below_keeps_between_clips_above() -> None:
    rows = Outputs(torch.zeros(1, 2), torch.tensor([[0.2, 0.5, 0.7, 1.0, 3.0]]))
    torch.testing.assert_close(rectified(rows, 0.5, 1.0), torch.tensor([[0.0, 0.5, 0.7, 1.0, 1.0]]).double())


def test_limits_are_quantiles_of_all_values_together(world) -> None:
    expected = np.quantile(world.bank.outputs.features.double().numpy(), [0.6, 0.95])
    score = VRA().fit(world.bank)
    assert (score.low, score.high) == pytest.approx(tuple(expected))


def test_weak_features_are_removed_where_pytorch_ood_lifts_them(peers, as_maps, fine_world) -> None:
    bank = fine_world.bank
    peer = peers.VRA(None, lambda maps: maps, lower_percentile=0.6, upper_percentile=0.95, detector=lambda maps: maps)
    peer.fit_feature_maps(as_maps(bank.outputs.features), bank.labels)
    dark = torch.zeros(1, 16, dtype=torch.float64)
    assert (peer.predict_feature_maps(as_maps(dark)) > 0).any()
    assert not VRA().fit(bank).shape(Outputs(dark[:, :4], dark)).any()


def test_without_a_lower_limit_it_is_react(world) -> None:
    from oodcore.scorers.react import ReAct

    first, second = VRA(low=0.0, high=0.9).fit(world.bank), ReAct(keep=0.9).fit(world.bank)
    torch.testing.assert_close(first(world.bank.outputs), second(world.bank.outputs))
