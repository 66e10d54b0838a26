import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from torch import Tensor

from oodcore.records import Bank, Head, Outputs
from oodcore.scorers.vim import ViM


def as_outputs(features: Tensor, head: Head) -> Outputs:
    return Outputs(head(features), features)


def small_bank(n: int = 200, d: int = 10, dtype: torch.dtype = torch.float64) -> Bank:
    labels = torch.arange(n) % 3
    weight = torch.randn(3, d)
    head = Head(weight.to(dtype), torch.randn(3).to(dtype))
    features = (2 * weight[labels] + torch.randn(n, d)).relu().to(dtype)
    return Bank(as_outputs(features, head), labels, head)


@pytest.mark.parametrize("dim", [1, 6])
def test_matches_the_paper_step_by_step(dim: int) -> None:
    bank = small_bank()
    x, w, b = bank.outputs.features.numpy(), bank.head.weight.numpy(), bank.head.bias.numpy()
    queries = 3 * np.random.default_rng(0).normal(size=(20, 10))
    origin = -np.linalg.pinv(w) @ b
    values, vectors = np.linalg.eigh((x - origin).T @ (x - origin))
    rest = vectors[:, np.argsort(values)[: 10 - dim]]
    alpha = (x @ w.T + b).max(1).mean() / np.linalg.norm((x - origin) @ rest, axis=1).mean()
    expected = alpha * np.linalg.norm((queries - origin) @ rest, axis=1) - logsumexp(queries @ w.T + b, axis=1)
    np.testing.assert_allclose(
        ViM(dim).fit(bank)(as_outputs(torch.from_numpy(queries), bank.head)), expected, rtol=1e-8
    )


def test_matches_pytorch_ood() -> None:
    from pytorch_ood.detector import ViM as Other

    bank = small_bank(dtype=torch.float32)
    other = Other(None, 4, *bank.head).fit_features(bank.outputs.features, bank.labels)
    theirs = other.predict_features(bank.outputs.features)
    torch.testing.assert_close(ViM(4).fit(bank)(bank.outputs), theirs.double(), rtol=1e-3, atol=1e-3)


def test_on_the_bank_the_virtual_logit_is_as_large_as_the_top_logit() -> None:
    bank = small_bank()
    score = ViM(4).fit(bank)
    virtual = score(bank.outputs) + bank.outputs.logits.logsumexp(1)
    assert virtual.mean().item() == pytest.approx(bank.outputs.logits.amax(1).mean().item())


@pytest.mark.parametrize("dim", [10, 1000, None])
@pytest.mark.parametrize("rows", [200, 6])
def test_any_dimension_leaves_finite_scores(rows: int, dim: int | None) -> None:
    bank = small_bank(rows)
    score = ViM(dim).fit(bank)
    scores = score(as_outputs(5 * torch.randn(9, 10, dtype=torch.float64), bank.head))
    assert scores.isfinite().all()
    assert 0 < score.alpha < 1e3


def test_a_larger_residual_is_never_more_ordinary_even_with_negative_logits() -> None:
    bank = small_bank()
    head = Head(bank.head.weight, bank.head.bias - 100)
    negative = Bank(as_outputs(bank.outputs.features, head), bank.labels, head)
    score = ViM(4).fit(negative)
    logits, features = bank.outputs.logits[:1], score.origin[None]
    off = features + 3 * score.basis[:, :1].mT
    assert score(Outputs(logits, off)) > score(Outputs(logits, features))
