import pytest
import torch
from torch import Tensor

from oodcore.records import Outputs
from oodcore.scorers.jsd import JSD


def scores(logits: Tensor, temperature: float) -> Tensor:
    return JSD(temperature).fit()(Outputs(logits, torch.zeros(len(logits), 1)))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-5)])
@pytest.mark.parametrize(
    ("logits", "temperature", "expected"),
    [
        ([2.0, 1.0, 0.0], 1.0, 0.068712),
        ([2.0, 1.0, 0.0], 2.0, 0.019796),
        ([8.0, 2.0, 1.0], 1.0, 0.308308),
        ([1.0, 1.0, -2.0], 1.0, 0.094183),
        ([1.0, 1.0, -2.0], 2.0, 0.041691),
        ([20.0, 0.0, 0.0], 1.0, 0.318257),
        ([20.0, 0.0, 0.0], 2.0, 0.317821),
    ],
)
def test_published_cases_negated(
    logits: list[float], temperature: float, expected: float, dtype: torch.dtype, tolerance: float
) -> None:
    found = scores(torch.tensor([logits], dtype=dtype), temperature)
    assert found.item() == pytest.approx(-expected, abs=tolerance)


def test_uniform_is_most_out_of_distribution() -> None:
    uniform, leaning, sure = scores(torch.tensor([[1.0, 1.0, 1.0], [2.0, 1.0, 1.0], [9.0, 1.0, 1.0]]), 1.0).tolist()
    assert 0 == uniform > leaning > sure
