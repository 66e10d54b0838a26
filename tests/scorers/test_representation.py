import pytest
import torch
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Bank, Head, Outputs
from oodcore.scorers.representation import Distance, Representation

POINTS = torch.tensor([[1.0, 0.0], [0.2, 0.1], [2.0, 2.0]])
CENTERS = torch.tensor([[1.0, 0.5], [-1.0, 0.0], [0.0, 2.0]])


def scores(points: Tensor, centers: Tensor, temperature: float, distance: Distance) -> Tensor:
    outputs = Outputs(torch.zeros(len(points), 3), torch.zeros(len(points), 1), None, points)
    bank = Bank(outputs, torch.zeros(len(points), dtype=torch.int64), Head(torch.zeros(3, 1), torch.zeros(3)), centers)
    return Representation(temperature, distance).fit(bank)(outputs)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-5)])
def test_published_case(dtype: torch.dtype, tolerance: float) -> None:
    found = scores(POINTS.to(dtype), CENTERS.to(dtype), 1.0, "euclidean")
    assert found.tolist() == pytest.approx([0.218337, 0.342645, 2.863089], abs=tolerance)


def test_towards_zero_temperature_it_is_the_nearest_distance() -> None:
    found = scores(POINTS.double(), CENTERS.double(), 1e-3, "euclidean")
    assert found.tolist() == pytest.approx([0.25, 0.8, 3.25], abs=2e-3)


def test_cosine_by_hand() -> None:
    distances = torch.tensor(
        [[2 - 2 * torch.nn.functional.cosine_similarity(v, c, dim=0) for c in CENTERS] for v in POINTS]
    )
    expected = -0.1 * (-distances.double() / 0.1).logsumexp(1)
    torch.testing.assert_close(scores(POINTS, CENTERS, 0.1, "cosine"), expected, rtol=1e-5, atol=1e-6)


def test_cosine_ignores_lengths() -> None:
    first, second = scores(POINTS, CENTERS, 0.1, "cosine"), scores(7 * POINTS, 3 * CENTERS, 0.1, "cosine")
    torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-6)


def test_what_is_missing_is_said(world) -> None:
    without = Bank(world.bank.outputs, world.bank.labels, world.bank.head)
    with pytest.raises(ScoreError, match="class centres"):
        Representation().fit(without)
    with pytest.raises(ScoreError, match="embeddings"):
        Representation().fit(world.bank)(world.inliers._replace(embeddings=None))
