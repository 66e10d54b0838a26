import pytest
import torch
from torch import Tensor

from oodcore.records import Outputs
from oodcore.scorers.energy import Energy


def scores(logits: Tensor, temperature: float = 1.0) -> Tensor:
    return Energy(temperature).fit()(Outputs(logits, torch.zeros(len(logits), 1)))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-5)])
@pytest.mark.parametrize(
    ("logits", "temperature", "expected"),
    [
        ([2.0, 1.0, 0.0], 1.0, -2.407606),
        ([2.0, 1.0, 0.0], 0.5, -2.071466),
        ([2.0, 1.0, 0.0], 2.0, -3.360539),
        ([2.0, 1.0, 0.0], 10.0, -12.019428),
        ([8.0, 2.0, 1.0], 1.0, -8.003385),
        ([8.0, 2.0, 1.0], 2.0, -8.153893),
        ([0.0, 0.0, 0.0], 1.0, -1.098612),
        ([0.0] * 10, 1.0, -2.302585),
        ([0.0] * 10, 2.0, -4.605170),
    ],
)
def test_published_cases(
    logits: list[float], temperature: float, expected: float, dtype: torch.dtype, tolerance: float
) -> None:
    found = scores(torch.tensor([logits], dtype=dtype), temperature)
    assert found.item() == pytest.approx(expected, abs=tolerance)


def test_equals_pytorch_ood(peers, fine_world) -> None:
    logits = fine_world.outliers.logits
    torch.testing.assert_close(scores(logits, 2.0), peers.EnergyBased.score(logits, 2.0))


def test_a_shift_of_all_logits_shifts_the_energy_back(fine_world) -> None:
    logits = fine_world.inliers.logits
    torch.testing.assert_close(scores(logits + 300.0), scores(logits) - 300.0)
