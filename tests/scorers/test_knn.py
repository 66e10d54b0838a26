import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Bank, Head, Outputs
from oodcore.scorers import _nearest
from oodcore.scorers.knn import KNN


def as_outputs(features: Tensor) -> Outputs:
    return Outputs(features.new_zeros(len(features), 2), features)


def as_bank(features: Tensor) -> Bank:
    head = Head(torch.zeros(2, features.shape[1]), torch.zeros(2))
    return Bank(as_outputs(features), torch.arange(len(features)) % 2, head)


def brute_force(bank: Tensor, queries: Tensor, k: int) -> np.ndarray:
    """Every distance in float64, sorted."""
    b, q = (rows.double().numpy() / np.linalg.norm(rows.double().numpy(), axis=1)[:, None] for rows in (bank, queries))
    return np.sort(np.stack([np.linalg.norm(b - row, axis=1) for row in q]), axis=1)[:, k - 1]


@pytest.mark.parametrize(("rows", "k"), [(60, 1), (60, 60), (1000, 7), (5003, 50)])
def test_matches_every_distance_sorted(rows: int, k: int) -> None:
    bank, queries = torch.randn(rows, 12), torch.randn(40, 12)
    found = KNN(k).fit(as_bank(bank))(as_outputs(queries))
    np.testing.assert_allclose(found, brute_force(bank, queries, k), rtol=1e-5)


def test_matches_across_pieces_of_queries_and_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    bank, queries = torch.randn(3001, 12), torch.randn(40, 12)
    monkeypatch.setattr(_nearest, "COLUMNS", 1100)
    monkeypatch.setattr(_nearest, "QUERIES", 7)
    found = KNN(9).fit(as_bank(bank))(as_outputs(queries))
    np.testing.assert_allclose(found, brute_force(bank, queries, 9), rtol=1e-5)


def test_matches_scikit_learn() -> None:
    bank, queries = torch.randn(300, 8), torch.randn(50, 8)
    unit = torch.nn.functional.normalize
    peer = NearestNeighbors(n_neighbors=50).fit(unit(bank.double()))
    expected = peer.kneighbors(unit(queries.double()))[0][:, -1]
    np.testing.assert_allclose(KNN().fit(as_bank(bank))(as_outputs(queries)), expected, rtol=1e-5)


def test_matches_pytorch_ood() -> None:
    from pytorch_ood.detector import KNN as Other

    bank, queries = torch.randn(300, 8), torch.randn(50, 8)
    theirs = Other(None, k=20).fit_features(bank, torch.zeros(300)).predict_features(queries)
    torch.testing.assert_close(KNN(20).fit(as_bank(bank))(as_outputs(queries)), theirs.double(), rtol=1e-4, atol=1e-5)


def test_best_neighbours_in_one_stripe_are_all_found() -> None:
    """The nearest rows lie where one column per stripe competes, and more of them than stripes."""
    bank = torch.randn(64 * _nearest.STRIPE, 6)
    stripes = len(bank) // _nearest.STRIPE
    bank[::stripes] = torch.tensor([1.0, 0, 0, 0, 0, 0]) + 0.01 * torch.randn(_nearest.STRIPE, 6)
    queries = torch.eye(6)[:1]
    for k in (1, 5, 25):
        np.testing.assert_allclose(
            KNN(k).fit(as_bank(bank))(as_outputs(queries)), brute_force(bank, queries, k), rtol=1e-4
        )


def test_a_row_of_the_bank_is_its_own_neighbour() -> None:
    bank = torch.randn(2000, 16)
    assert torch.equal(KNN(1).fit(as_bank(bank))(as_outputs(bank)), torch.zeros(2000, dtype=torch.float64))


def test_tiny_distances_survive_float32() -> None:
    """By 2 - 2cos in float32 a distance of 1e-4 would be 0 or 3.5e-4."""
    near = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1e-4]])
    assert KNN(1).fit(as_bank(near[0]))(as_outputs(near[1])).item() == pytest.approx(1e-4, rel=1e-4)


@pytest.mark.parametrize("spread", [1e-3, 0.05])
def test_neighbours_in_a_narrow_cone_are_told_apart(spread: float) -> None:
    centre = torch.nn.functional.normalize(torch.randn(16), dim=0)
    bank, queries = centre + spread * torch.randn(500, 16), centre + spread * torch.randn(40, 16)
    found = KNN(20).fit(as_bank(bank))(as_outputs(queries))
    np.testing.assert_allclose(found, brute_force(bank, queries, 20), rtol=0.02)


def test_a_smaller_bank_gives_its_last_neighbour() -> None:
    bank, queries = torch.randn(5, 4), torch.randn(3, 4)
    np.testing.assert_allclose(
        KNN(50).fit(as_bank(bank))(as_outputs(queries)), brute_force(bank, queries, 5), rtol=1e-5
    )


def test_dark_features_have_no_direction_and_a_finite_score() -> None:
    score = KNN(3).fit(as_bank(torch.cat([torch.zeros(1, 4), torch.randn(9, 4)])))
    assert score(as_outputs(torch.zeros(2, 4))).tolist() == pytest.approx([1.0, 1.0])


@settings(max_examples=20, deadline=None)
@given(scale=st.sampled_from([1e-20, 1e-3, 7.0, 1e15]))
def test_the_length_of_a_feature_does_not_matter(scale: float) -> None:
    bank, queries = torch.randn(50, 6), torch.randn(10, 6)
    score = KNN(5).fit(as_bank(bank))
    torch.testing.assert_close(score(as_outputs(scale * queries)), score(as_outputs(queries)), rtol=1e-4, atol=1e-6)


def test_a_large_bank_is_thinned_evenly_and_repeatably() -> None:
    bank = as_bank(torch.nn.functional.normalize(torch.randn(1000, 4)))
    first, second = KNN(max_rows=300).fit(bank), KNN(max_rows=300).fit(bank)
    assert len(first.rows) == 250
    assert torch.equal(first.rows, second.rows)
    torch.testing.assert_close(first.rows, bank.outputs.features[::4])


@pytest.mark.parametrize("numbers", [{"k": 0}, {"max_rows": 0}])
def test_counts_below_one_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(ScoreError, match="at least 1"):
        KNN(**numbers).fit(as_bank(torch.randn(9, 4)))
