import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import EmpiricalCovariance
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Bank, Head, Outputs
from oodcore.scorers import Fitted
from oodcore.scorers.mahalanobis import Mahalanobis
from oodcore.scorers.relative_mahalanobis import RelativeMahalanobis


def as_outputs(features: Tensor, k: int = 3) -> Outputs:
    return Outputs(features.new_zeros(len(features), k), features)


def as_bank(features: Tensor, labels: Tensor, k: int = 3) -> Bank:
    head = Head(torch.zeros(k, features.shape[1]), torch.zeros(k))
    return Bank(as_outputs(features, k), labels, head)


def blobs(n: int = 240, d: int = 8, k: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % k
    shape = torch.randn(d, d, generator=draw, dtype=torch.float64)
    centres = 4 * torch.randn(k, d, generator=draw, dtype=torch.float64)
    return centres[labels] + torch.randn(n, d, generator=draw, dtype=torch.float64) @ shape, labels


def pseudo_inverse(features: Tensor, labels: Tensor, queries: Tensor) -> np.ndarray:
    """Row by row and class by class; shares no code with the implementation."""
    x, y = features.double().numpy(), labels.numpy()
    means = np.stack([x[y == c].mean(0) for c in range(y.max() + 1)])
    centred = x - means[y]
    precision = np.linalg.pinv(centred.T @ centred / len(x), hermitian=True)
    away = queries.double().numpy()[:, None] - means
    return ((away @ precision) * away).sum(2).min(1)


def auroc(inliers: np.ndarray | Tensor, outliers: np.ndarray | Tensor) -> float:
    inside, outside = np.asarray(inliers), np.asarray(outliers)
    return float((outside[:, None] > inside).mean())


def hard_features(kind: str, n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """ReLU features of ten classes, 512 wide, in a 64-dimensional structure under noise; float32 as a network's."""
    draw = torch.Generator().manual_seed(0)
    mixing = torch.randn(64, 512, generator=draw, dtype=torch.float64) / 8
    bias = torch.randn(512, generator=draw, dtype=torch.float64) / 2
    known, strange = (1.2 * torch.randn(k, 64, generator=draw, dtype=torch.float64) for k in (10, 20))

    def features(centres: Tensor, rows: int) -> Tensor:
        inner = centres[torch.arange(rows) % len(centres)] + torch.randn(rows, 64, generator=draw, dtype=torch.float64)
        x = (inner @ mixing + bias + 0.3 * torch.randn(rows, 512, generator=draw, dtype=torch.float64)).relu()
        if kind == "dead":
            x[:, -20:] = 0
        if kind == "collinear":
            x[:, 256:] = x[:, :256] + 1e-4 * torch.randn(rows, 256, generator=draw, dtype=torch.float64)
        return x.float()

    return features(known, n), torch.arange(n) % 10, features(known, 300), features(strange, 300)


def hard_auroc(score: Fitted, inliers: Tensor, outliers: Tensor) -> float:
    return auroc(score(as_outputs(inliers, 10)), score(as_outputs(outliers, 10)))


def test_matches_a_pseudo_inverse_row_by_row() -> None:
    x, y = blobs()
    queries = 5 * torch.randn(50, 8, dtype=torch.float64)
    score = Mahalanobis().fit(as_bank(x, y))
    np.testing.assert_allclose(score(as_outputs(queries)), pseudo_inverse(x, y, queries), rtol=1e-9)


def test_matches_scikit_learn_for_the_nearest_class() -> None:
    x, y = blobs()
    means = torch.stack([x[y == c].mean(0) for c in range(3)])
    shared = EmpiricalCovariance(assume_centered=True).fit((x - means[y]).numpy())
    expected = np.min([shared.mahalanobis((x - mean).numpy()) for mean in means], axis=0)
    np.testing.assert_allclose(Mahalanobis().fit(as_bank(x, y))(as_outputs(x)), expected, rtol=1e-9)


def test_matches_pytorch_ood_where_it_is_right() -> None:
    from pytorch_ood.detector import Mahalanobis as Other

    x, y = blobs()
    theirs = Other(None).fit_features(x.float(), y).predict_features(x.float())  # half of it, on the sum of products
    ours = Mahalanobis().fit(as_bank(x.float(), y))(as_outputs(x.float()))
    torch.testing.assert_close(theirs.double() * 2 * len(x), ours, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("n", [2000, 300])
@pytest.mark.parametrize("kind", ["full", "dead", "collinear"])
def test_few_rows_dead_and_collinear_units_score_as_a_float64_pseudo_inverse(kind: str, n: int) -> None:
    x, y, inliers, outliers = hard_features(kind, n)
    score = Mahalanobis().fit(as_bank(x, y, 10))
    expected = auroc(pseudo_inverse(x, y, inliers), pseudo_inverse(x, y, outliers))
    assert hard_auroc(score, inliers, outliers) == pytest.approx(expected, abs=0.002)
    assert score(as_outputs(inliers, 10)).min() >= 0


def test_is_right_where_pytorch_ood_returns_negative_distances() -> None:
    from pytorch_ood.detector import Mahalanobis as Other

    x, y, inliers, outliers = hard_features("full", 300)
    other = Other(None).fit_features(x, y)
    theirs = [other.predict_features(rows) for rows in (inliers, outliers)]
    assert min(float(part.min()) for part in theirs) < -1e4
    assert auroc(*theirs) < 0.7
    assert hard_auroc(Mahalanobis().fit(as_bank(x, y, 10)), inliers, outliers) > 0.95


def test_shrinkage_helps_as_far_as_the_docstrings_say() -> None:
    x, y, inliers, outliers = hard_features("collinear", 300)
    bank = as_bank(x, y, 10)
    found = {share: hard_auroc(Mahalanobis(share).fit(bank), inliers, outliers) for share in (0.0, 0.1)}
    assert found[0.0] == pytest.approx(0.936, abs=0.02)
    assert found[0.1] == pytest.approx(0.995, abs=0.01)
    relative = {share: hard_auroc(RelativeMahalanobis(share).fit(bank), inliers, outliers) for share in (0.0, None)}
    assert relative[0.0] < 0.85
    assert relative[None] > 0.99


def test_a_row_at_its_class_mean_scores_zero() -> None:
    x, y = blobs()
    means = torch.stack([x[y == c].mean(0) for c in range(3)])
    assert Mahalanobis().fit(as_bank(x, y))(as_outputs(means)).max() < 1e-12


def test_classes_far_apart_do_not_drown_the_spread_within_them() -> None:
    x, y = blobs(n=60, d=80)  # fewer rows than features: rounding shows where nothing should vary
    far = x + 1e4 * torch.eye(80, dtype=torch.float64)[y]
    near = Mahalanobis().fit(as_bank(x, y))(as_outputs(x))
    torch.testing.assert_close(Mahalanobis().fit(as_bank(far, y))(as_outputs(far)), near, rtol=1e-3, atol=1e-3)


def test_full_shrinkage_is_euclidean_distance_over_the_mean_variance() -> None:
    x, y = blobs()
    means = torch.stack([x[y == c].mean(0) for c in range(3)])
    variance = (x - means[y]).square().mean()
    expected = torch.cdist(x, means).square().amin(1) / variance
    torch.testing.assert_close(Mahalanobis(1.0).fit(as_bank(x, y))(as_outputs(x)), expected)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([1e-3, 1.0, 1e3]), shift=st.floats(-100, 100))
def test_an_affine_map_of_the_features_changes_nothing(seed: int, scale: float, shift: float) -> None:
    x, y = blobs(n=90, d=4)
    draw = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=draw, dtype=torch.float64))[0]
    moved = scale * (x @ (turn * torch.tensor([1.0, 2.0, 3.0, 4.0]))) + shift
    before = Mahalanobis().fit(as_bank(x, y))(as_outputs(x))
    torch.testing.assert_close(Mahalanobis().fit(as_bank(moved, y))(as_outputs(moved)), before, rtol=1e-4, atol=1e-6)


def test_empty_classes_are_named() -> None:
    x, y = blobs()
    with pytest.raises(ScoreError, match=r"class 3, 4\."):
        Mahalanobis().fit(as_bank(x, y, k=5))
    with pytest.raises(ScoreError, match="class 3, 4, 5, 6, 7, 8, 9, 10 and 9 more"):
        Mahalanobis().fit(as_bank(x, y, k=20))


def test_one_row_per_class_has_no_spread() -> None:
    x, y = blobs(n=3)
    with pytest.raises(ScoreError, match="do not vary"):
        Mahalanobis().fit(as_bank(x, y))


@pytest.mark.parametrize("shrinkage", [-0.1, 1.5, float("nan")])
def test_shrinkage_out_of_range_is_refused(shrinkage: float) -> None:
    with pytest.raises(ScoreError, match=r"0\.\.1"):
        Mahalanobis(shrinkage).fit(as_bank(*blobs()))
