import pytest
import torch

from oodcore.errors import ScoreError
from oodcore.records import Bank, Head, Outputs
from oodcore.scorers.fdbd import FDBD


def world(k: int = 4, d: int = 6) -> tuple[Bank, Outputs]:
    head = Head(torch.randn(k, d, dtype=torch.float64), torch.randn(k, dtype=torch.float64))
    x, queries = torch.randn(60, d, dtype=torch.float64) + 1, 2 * torch.randn(20, d, dtype=torch.float64)
    return Bank(Outputs(head(x), x), torch.arange(60) % k, head), Outputs(head(queries), queries)


def test_matches_the_distance_to_each_boundary() -> None:
    """Move the feature along the difference of two weights until both logits are equal, and measure the way."""
    bank, queries = world()
    mean, (w, b) = bank.outputs.features.mean(0), bank.head
    expected = []
    for z in queries.features:
        top = int((w @ z + b).argmax())
        ways = []
        for other in range(4):
            if other != top:
                along = w[other] - w[top]
                step = -((along @ z) + b[other] - b[top]) / (along @ along)
                moved = z + step * along
                assert (w[top] @ moved + b[top]).item() == pytest.approx((w[other] @ moved + b[other]).item())
                ways.append((moved - z).norm())
        expected.append(-torch.stack(ways).mean() / (z - mean).norm())
    torch.testing.assert_close(FDBD().fit(bank)(queries), torch.stack(expected))


def test_matches_pytorch_ood() -> None:
    from pytorch_ood.detector import fDBD

    bank, queries = world()
    layer = torch.nn.Linear(6, 4)
    layer.weight.data, layer.bias.data = bank.head.weight.float(), bank.head.bias.float()
    theirs = fDBD(None, layer).fit_features(bank.outputs.features.float()).predict_features(queries.features.float())
    torch.testing.assert_close(FDBD().fit(bank)(queries), theirs.double(), rtol=1e-4, atol=1e-5)


def test_equal_rows_of_the_head_have_no_boundary_between_them() -> None:
    bank, queries = world()
    weight = bank.head.weight.clone()
    weight[1] = weight[0]
    head = Head(weight, bank.head.bias)
    scores = FDBD().fit(Bank(bank.outputs, bank.labels, head))(Outputs(head(queries.features), queries.features))
    assert scores.isfinite().all()
    assert scores.abs().max() < 100


def test_a_feature_at_the_mean_is_finite() -> None:
    bank, _ = world()
    mean = bank.outputs.features.mean(0, keepdim=True)
    assert FDBD().fit(bank)(Outputs(bank.head(mean), mean)).isfinite().all()


def test_one_class_has_no_boundary() -> None:
    head = Head(torch.randn(1, 3), torch.zeros(1))
    x = torch.randn(9, 3)
    with pytest.raises(ScoreError, match="single class"):
        FDBD().fit(Bank(Outputs(head(x), x), torch.zeros(9, dtype=torch.int64), head))
