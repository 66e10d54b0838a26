import pytest
import torch

from oodcore.errors import ScoreError
from oodcore.records import Bank, Head, Outputs
from oodcore.scorers.nci import NCI


def world() -> tuple[Bank, Outputs]:
    head = Head(torch.randn(4, 6, dtype=torch.float64), torch.randn(4, dtype=torch.float64))
    x, queries = torch.randn(60, 6, dtype=torch.float64) + 1, 2 * torch.randn(20, 6, dtype=torch.float64)
    return Bank(Outputs(head(x), x), torch.arange(60) % 4, head), Outputs(head(queries), queries)


@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_matches_the_definition_row_by_row(alpha: float) -> None:
    bank, queries = world()
    mean = bank.outputs.features.mean(0)
    expected = [
        -float((z - mean) @ bank.head.weight[f.argmax()]) / float((z - mean).square().sum().sqrt())
        - alpha * float(z.abs().sum())
        for f, z in zip(queries.logits, queries.features, strict=True)
    ]
    assert NCI(alpha).fit(bank)(queries).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_matches_pytorch_ood(alpha: float) -> None:
    from pytorch_ood.detector import NCI as Other

    bank, queries = world()
    layer = torch.nn.Linear(6, 4)
    layer.weight.data, layer.bias.data = bank.head.weight.float(), bank.head.bias.float()
    theirs = Other(None, layer, alpha).fit_features(bank.outputs.features.float())
    expected = theirs.predict_features(queries.features.float())
    torch.testing.assert_close(NCI(alpha).fit(bank)(queries), expected.double(), rtol=1e-4, atol=1e-5)


def test_a_longer_feature_of_the_same_direction_is_more_ordinary() -> None:
    bank, queries = world()
    mean = bank.outputs.features.mean(0)
    score = NCI(0.1).fit(bank)
    away = mean * 2
    longer = mean * 4
    logits = queries.logits[:1]
    assert score(Outputs(logits, longer[None])) < score(Outputs(logits, away[None]))


def test_a_feature_at_the_mean_is_finite() -> None:
    bank, _ = world()
    mean = bank.outputs.features.mean(0, keepdim=True)
    assert NCI().fit(bank)(Outputs(bank.head(mean), mean)).isfinite().all()


def test_training_on_does_not_change_what_was_fitted() -> None:
    bank, queries = world()
    score = NCI().fit(bank)
    before = score(queries)
    bank.head.weight.zero_()
    assert torch.equal(score(queries), before)


@pytest.mark.parametrize("alpha", [-1e-4, float("nan"), float("inf")])
def test_a_weight_below_nothing_is_refused(alpha: float) -> None:
    with pytest.raises(ScoreError, match="alpha of at least 0"):
        NCI(alpha)
