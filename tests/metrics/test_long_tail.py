import numpy as np
import pytest
import torch

from oodcore.data import long_tail_counts
from oodcore.errors import ScoreError
from oodcore.metrics import accuracy, tail_accuracy, tail_groups

LT10 = long_tail_counts(5000, 10, 0.01)


def one_hot(predicted: list[int], k: int) -> torch.Tensor:
    return torch.eye(k)[predicted]


def test_cifar10_lt_divides_into_three_four_and_three() -> None:
    assert tail_groups(LT10) == ([0, 1, 2], [3, 4, 5, 6], [7, 8, 9])


@pytest.mark.parametrize(("k", "sizes"), [(100, (34, 34, 32)), (3, (1, 2, 0)), (1, (0, 1, 0))])
def test_groups_of_other_numbers_of_classes(k: int, sizes: tuple[int, ...]) -> None:
    counts = [1000 - c for c in range(k)]
    assert tuple(map(len, tail_groups(counts))) == sizes


def test_groups_follow_the_counts_and_not_the_order_of_classes() -> None:
    order = np.random.default_rng(0).permutation(10)
    groups = tail_groups(np.array(LT10)[order])
    assert [sorted(order[group].tolist()) for group in groups] == [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9]]


def test_classes_that_tie_with_a_border_are_medium() -> None:
    assert tail_groups([5, 5, 5, 5]) == ([], [0, 1, 2, 3], [])
    assert tail_groups([9, 5, 5, 5, 5, 1]) == ([0], [1, 2, 3, 4], [5])


def test_accuracy_class_by_class() -> None:
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=(500, 10)), rng.integers(0, 10, 500)
    shares = []
    for c in range(10):
        rows = [int(np.argmax(row) == c) for row, label in zip(logits, labels, strict=True) if label == c]
        shares.append(sum(rows) / len(rows))
    found = tail_accuracy(logits, labels, LT10)
    assert found == pytest.approx(
        (np.mean(shares), np.mean(shares[:3]), np.mean(shares[3:7]), np.mean(shares[7:])), abs=1e-12
    )


def test_a_network_that_knows_the_head_only() -> None:
    labels = torch.arange(10).repeat(2)
    found = tail_accuracy(one_hot([min(int(c), 2) for c in labels], 10), labels, LT10)
    assert found == pytest.approx((0.3, 1.0, 0.0, 0.0))


def test_on_a_balanced_test_set_it_is_plain_accuracy_and_on_others_every_class_counts_the_same() -> None:
    logits = one_hot([0, 0, 1, 0], 2)
    assert tail_accuracy(logits, torch.tensor([0, 0, 1, 1]), [8, 2]).overall == accuracy(
        logits, torch.tensor([0, 0, 1, 1])
    )
    assert tail_accuracy(logits, torch.tensor([0, 0, 0, 1]), [8, 2]).overall == pytest.approx((2 / 3 + 0) / 2)


def test_a_class_without_test_images_is_left_out_and_a_group_without_any_is_none() -> None:
    found = tail_accuracy(one_hot([0, 1, 2], 10), torch.tensor([0, 1, 2]), LT10)
    assert found == (1.0, 1.0, None, None)


@pytest.mark.parametrize("counts", [[5000, 50], [*LT10[:-1], -1], [*LT10[:-1], float("nan")], []])
def test_counts_that_do_not_fit_are_refused(counts: list[float]) -> None:
    with pytest.raises(ScoreError, match="class_counts"):
        tail_accuracy(one_hot([0], 10), torch.tensor([0]), counts)
