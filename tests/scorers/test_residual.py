import numpy as np
import pytest
import torch
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Bank, Head, Outputs
from oodcore.scorers.residual import Residual, principal


def as_outputs(features: Tensor, head: Head) -> Outputs:
    return Outputs(head(features), features)


def small_bank(n: int = 200, d: int = 10) -> Bank:
    head = Head(torch.randn(3, d, dtype=torch.float64), torch.randn(3, dtype=torch.float64))
    features = torch.randn(n, d, dtype=torch.float64) * torch.linspace(0.2, 4, d, dtype=torch.float64) + 1
    return Bank(as_outputs(features, head), torch.arange(n) % 3, head)


@pytest.mark.parametrize("dim", [0, 3, 9])
def test_matches_the_smallest_eigenvectors_about_the_origin_of_the_logits(dim: int) -> None:
    bank = small_bank()
    x, (weight, bias) = bank.outputs.features.numpy(), (part.numpy() for part in bank.head)
    origin = -np.linalg.pinv(weight) @ bias
    values, vectors = np.linalg.eig(np.cov((x - origin).T, bias=True) + np.outer(*[x.mean(0) - origin] * 2))
    rest = vectors[:, np.argsort(-values)[dim:]]
    expected = np.linalg.norm((x - origin) @ rest, axis=1)
    np.testing.assert_allclose(Residual(dim).fit(bank)(bank.outputs), expected, rtol=1e-8)


def test_a_feature_inside_the_principal_space_has_none() -> None:
    bank = small_bank()
    score = Residual(4).fit(bank)
    inside = torch.linalg.qr(score.basis, mode="complete")[0][:, 6:]  # orthogonal to the basis of the residual
    features = score.origin + torch.randn(5, 4, dtype=torch.float64) @ inside.mT
    assert score(as_outputs(features, bank.head)).max() < 1e-12
    assert score(as_outputs(features + score.basis[:, 0], bank.head)).tolist() == pytest.approx([1.0] * 5)


@pytest.mark.parametrize(
    ("dim", "width", "rank", "expected"),
    [
        (None, 2048, 2048, 1000),
        (None, 768, 768, 512),
        (None, 512, 512, 256),
        (None, 64, 64, 32),
        (None, 2048, 300, 150),
        (1000, 512, 512, 256),
        (512, 512, 512, 256),
        (511, 512, 512, 511),
        (5, 64, 1, 0),
    ],
)
def test_some_direction_always_remains(dim: int | None, width: int, rank: int, expected: int) -> None:
    assert principal(dim, width, rank) == expected


def test_the_bank_varies_in_what_remains_even_with_few_rows() -> None:
    bank = small_bank(n=6)
    assert Residual(9).fit(bank)(bank.outputs).min() > 1e-3


def test_features_that_are_all_zero_are_refused() -> None:
    head = Head(torch.randn(3, 4), torch.zeros(3))
    bank = Bank(as_outputs(torch.zeros(9, 4), head), torch.arange(9) % 3, head)
    with pytest.raises(ScoreError, match="all zero"):
        Residual().fit(bank)
