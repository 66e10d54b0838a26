import numpy as np
import pytest
import torch
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Bank, Head, Outputs
from oodcore.scorers.relative_mahalanobis import RelativeMahalanobis


def as_outputs(features: Tensor, k: int = 3) -> Outputs:
    return Outputs(features.new_zeros(len(features), k), features)


def as_bank(features: Tensor, labels: Tensor, k: int = 3) -> Bank:
    return Bank(as_outputs(features, k), labels, Head(torch.zeros(k, features.shape[1]), torch.zeros(k)))


def blobs(n: int = 240, d: int = 6, k: int = 3) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    labels = torch.arange(n) % k
    centres = 4 * torch.randn(k, d, generator=draw, dtype=torch.float64)
    return centres[labels] + torch.randn(n, d, generator=draw, dtype=torch.float64), labels


def test_matches_the_definition_row_by_row() -> None:
    x, y = blobs()
    rows = x.numpy()
    means = [rows[y.numpy() == c].mean(0) for c in range(3)]
    within = sum(np.cov(rows[y.numpy() == c].T, bias=True) * (y.numpy() == c).mean() for c in range(3))
    total, mean = np.cov(rows.T, bias=True), rows.mean(0)
    expected = [
        min((q - m) @ np.linalg.inv(within) @ (q - m) for m in means) - (q - mean) @ np.linalg.inv(total) @ (q - mean)
        for q in 3 * rows[:20]
    ]
    score = RelativeMahalanobis().fit(as_bank(x, y))
    np.testing.assert_allclose(score(as_outputs(3 * x[:20])), expected, rtol=1e-9)


def test_matches_pytorch_ood_where_it_is_right() -> None:
    from pytorch_ood.detector import RMD

    x, y = blobs()
    theirs = RMD(None).fit_features(x.float(), y).predict_features(x.float()) * len(x)  # it inverts sums of products
    ours = RelativeMahalanobis().fit(as_bank(x.float(), y))(as_outputs(x.float()))
    torch.testing.assert_close(theirs.double(), ours, rtol=2e-3, atol=2e-3)


def test_what_all_classes_share_cancels() -> None:
    """An axis along which the classes do not differ adds to no score, however wide it is."""
    x, y = blobs()
    shared = torch.randn(len(x), 1, dtype=torch.float64)
    for label in range(3):
        shared[y == label] -= shared[y == label].mean()
    shared -= (x - x.mean(0)) @ torch.linalg.lstsq(x - x.mean(0), shared).solution
    for label in range(3):
        shared[y == label] -= shared[y == label].mean()
    wide = torch.cat([x, shared], dim=1)
    score = RelativeMahalanobis().fit(as_bank(wide, y))
    query = torch.cat([x[:5], torch.full((5, 1), 50.0, dtype=torch.float64)], dim=1)
    still = torch.cat([x[:5], torch.zeros(5, 1, dtype=torch.float64)], dim=1)
    change = score(as_outputs(query)) - score(as_outputs(still))
    assert change.abs().max() < 0.1 * 50**2 / float(shared.square().mean())


def test_few_rows_are_shrunk_unless_told_otherwise() -> None:
    x, y = blobs(n=11)
    few, queries = as_bank(x, y), as_outputs(x + 1)
    assert torch.equal(RelativeMahalanobis().fit(few)(queries), RelativeMahalanobis(0.1).fit(few)(queries))
    assert not torch.equal(RelativeMahalanobis(0.0).fit(few)(queries), RelativeMahalanobis().fit(few)(queries))
    enough = as_bank(*blobs(n=12))
    assert torch.equal(RelativeMahalanobis().fit(enough)(queries), RelativeMahalanobis(0.0).fit(enough)(queries))


def test_an_empty_class_is_named() -> None:
    x, y = blobs()
    with pytest.raises(ScoreError, match=r"class 3\."):
        RelativeMahalanobis().fit(as_bank(x, y, k=4))
