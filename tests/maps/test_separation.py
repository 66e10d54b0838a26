"""Silhouette as scikit-learn computes it; distances by hand."""

import pytest
import torch
from sklearn.metrics import silhouette_score

from oodcore.maps import Cloud, nearest_center, separation


def cloud(rows: torch.Tensor, labels: torch.Tensor) -> Cloud:
    owners = labels[labels >= 0].unique()
    means = [rows[labels == owner].mean(0) for owner in owners]
    return Cloud(rows, labels, torch.stack(means) if means else rows[:0], owners, trained=False)


@pytest.mark.parametrize("spread", [0.1, 1.0, 5.0])
def test_silhouette_is_scikit_learn_s(spread: float) -> None:
    labels = torch.tensor([2, 2, 5, 5, 5, 7, -1]).repeat(20)
    rows = torch.randn(140, 4) * spread + labels[:, None].float()
    found = separation(cloud(rows, labels))
    known = labels >= 0
    assert found is not None
    expected = silhouette_score(rows[known].numpy(), labels[known].numpy())
    assert found.silhouette == pytest.approx(float(expected), abs=1e-5)


def test_a_class_of_one_counts_nothing() -> None:
    rows = torch.tensor([[0.0], [1.0], [10.0]])
    labels = torch.tensor([0, 0, 1])
    found = separation(cloud(rows, labels))
    assert found is not None
    assert found.silhouette == pytest.approx(float(silhouette_score(rows.numpy(), labels.numpy())))


def test_distances_by_hand() -> None:
    rows = torch.tensor([[-1.0, 0], [1, 0], [9, 0], [11, 0], [500, 500]])
    found = separation(cloud(rows, torch.tensor([0, 0, 3, 3, -1])))
    assert found is not None
    assert found.intra == pytest.approx(1)
    assert found.inter == pytest.approx(10)
    assert found.ratio == pytest.approx(10)
    assert found.own == 1


def test_rows_nearer_to_another_centre_count_against_it() -> None:
    rows = torch.tensor([[0.0], [0.0], [0.0], [9.0], [10.0], [10.0]])
    found = separation(cloud(rows, torch.tensor([0, 0, 0, 0, 1, 1])))
    assert found is not None
    assert found.own == pytest.approx(5 / 6)


def test_one_class_or_none_has_no_separation() -> None:
    rows = torch.randn(4, 2)
    assert separation(cloud(rows, torch.tensor([1, 1, 1, -1]))) is None
    assert separation(cloud(rows, torch.full((4,), -1))) is None
    assert separation(cloud(rows, torch.arange(4))) is None


def test_the_nearest_centre_is_told_by_its_class() -> None:
    rows = torch.tensor([[0.0, 0], [4, 0]])
    space = Cloud(rows, torch.tensor([2, 7]), rows, torch.tensor([2, 7]), trained=True)
    classes, distances = nearest_center(torch.tensor([[3.0, 0], [0, 1]]), space)
    assert classes.tolist() == [7, 2]
    assert distances.tolist() == [1, 1]


def test_without_centres_there_is_no_nearest_one() -> None:
    space = Cloud(torch.zeros(2, 3), torch.tensor([-1, -1]), torch.zeros(0, 3), torch.zeros(0).long(), trained=False)
    classes, distances = nearest_center(torch.zeros(1, 3), space)
    assert classes.tolist() == [-1]
    assert distances.isinf().all()
