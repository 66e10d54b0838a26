import pytest
import torch

from oodcore.errors import ScoreError
from oodcore.functional import feature_norm
from oodcore.records import Outputs
from oodcore.scorers.feature_norm import FeatureNorm

Z = torch.tensor([[[3.0, -1.0], [0.0, 4.0]], [[-2.0, -3.0], [-1.0, -5.0]], [[1.0, 1.0], [1.0, 1.0]]])


def outputs(norms: torch.Tensor | None) -> Outputs:
    return Outputs(torch.zeros(2, 3), torch.zeros(2, 4), norms)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-5)])
def test_published_case(dtype: torch.dtype, tolerance: float) -> None:
    norms = feature_norm(Z[None].to(dtype))[:, None].expand(2, 3)
    assert FeatureNorm().fit()(outputs(norms)).tolist() == pytest.approx([-2.333333] * 2, abs=tolerance)


@pytest.mark.parametrize(("block", "expected"), [(0, [-1.0, -4.0]), (2, [-3.0, -6.0]), (-1, [-3.0, -6.0])])
def test_takes_the_named_block(block: int, expected: list[float]) -> None:
    norms = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert FeatureNorm(block).fit()(outputs(norms)).tolist() == expected


def test_the_last_but_one_by_default() -> None:
    norms = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert FeatureNorm().fit()(outputs(norms)).tolist() == [-2.0, -5.0]


@pytest.mark.parametrize("block", [3, -4])
def test_a_block_that_is_not_there(block: int) -> None:
    with pytest.raises(ScoreError, match=rf"no block {block}: this network has 3, from 0 to 2"):
        FeatureNorm(block).fit()(outputs(torch.ones(2, 3)))


def test_outputs_without_norms() -> None:
    with pytest.raises(ScoreError, match="norms=True"):
        FeatureNorm().fit()(outputs(None))
