"""What fits may count on, and the quantiles that shaping learns."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given as given_values
from hypothesis import settings
from hypothesis import strategies as st

from oodcore.errors import ScoreError
from oodcore.records import Bank, Evidence
from oodcore.scorers._evidence import given, pieces, pooled_quantiles, quantile, sampled


@settings(max_examples=30, deadline=None)
@given_values(st.lists(st.floats(-100, 100), min_size=1, max_size=30), st.floats(0, 1))
def test_quantile_is_numpys(values: list[float], level: float) -> None:
    assert quantile(torch.tensor(values, dtype=torch.float64), level) == pytest.approx(np.quantile(values, level))


def test_pooled_quantiles_take_all_features_together(world, in_pieces: Callable[[Bank], Evidence]) -> None:
    expected = np.quantile(world.bank.outputs.features.double().numpy().ravel(), [0.6, 0.95])
    assert pooled_quantiles(in_pieces(world.bank), (0.6, 0.95)) == pytest.approx(expected.tolist(), rel=1e-12)


def test_a_large_bank_is_sampled_at_a_fixed_stride(world, in_pieces: Callable[[Bank], Evidence]) -> None:
    rows = torch.cat([part.outputs.features for part in sampled(in_pieces(world.bank), 16, 16 * 100)])
    assert torch.equal(rows, world.bank.outputs.features[::3])  # 240 rows, at most 100


def test_a_bank_that_fits_is_taken_whole(world) -> None:
    rows = torch.cat([part.outputs.features for part in sampled(world.bank, 16, 16 * 240)])
    assert torch.equal(rows, world.bank.outputs.features)


def test_what_is_missing_is_said(world) -> None:
    with pytest.raises(ScoreError, match="Pass it a bank"):
        given(None)
    with pytest.raises(ScoreError, match="empty"):
        given(world.bank.take(slice(0, 0)))
    with pytest.raises(ScoreError, match="without a class"):
        list(pieces(replace(world.bank, labels=world.bank.labels - 1)))
    logits = world.bank.outputs.logits.clone()
    logits[0, 0] = torch.inf
    with pytest.raises(ScoreError, match="NaN or infinite"):
        list(pieces(replace(world.bank, outputs=world.bank.outputs._replace(logits=logits))))
