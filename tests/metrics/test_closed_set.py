import numpy as np
import pytest
import torch

from oodcore.errors import ScoreError
from oodcore.metrics import accuracy, ece


def reference_ece(logits: np.ndarray, labels: np.ndarray, bins: int) -> float:
    """Bin by bin, row by row."""
    confidences, hits = [], []
    for row, label in zip(logits, labels, strict=True):
        p = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
        confidences.append(p.max())
        hits.append(float(p.argmax() == label))
    total = 0.0
    for b in range(bins):
        inside = [i for i, c in enumerate(confidences) if b / bins < c <= (b + 1) / bins]
        if inside:
            gap = np.mean([hits[i] for i in inside]) - np.mean([confidences[i] for i in inside])
            total += len(inside) / len(labels) * abs(gap)
    return total


@pytest.mark.parametrize("bins", [1, 2, 10, 15])
@pytest.mark.parametrize("scale", [0.1, 2.0, 30.0])
def test_ece_bin_by_bin(bins: int, scale: float) -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(400, 5)) * scale, rng.integers(0, 5, 400)
    assert ece(logits, labels, bins) == pytest.approx(reference_ece(logits, labels, bins), abs=1e-12)


def test_half_right_at_confidence_nine_tenths_misses_by_four_tenths() -> None:
    logits = np.log(np.array([[0.9, 0.1]] * 4))
    assert ece(logits, np.array([0, 0, 1, 1])) == pytest.approx(0.4)


def test_opposite_errors_in_one_bin_cancel_but_not_across_bins() -> None:
    logits = np.log(np.array([[0.6, 0.4], [0.9, 0.1]]))
    labels = np.array([0, 1])
    assert ece(logits, labels, bins=1) == pytest.approx(0.25)
    assert ece(logits, labels, bins=15) == pytest.approx(0.65)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below() -> None:
    logits = np.array([[0.0, 0.0], [np.log(9), 0.0]])
    assert ece(logits, np.array([0, 1]), bins=2) == pytest.approx((0.5 + 0.9) / 2)


def test_certain_and_right_is_perfect() -> None:
    assert ece(torch.eye(3) * 1e4, torch.arange(3)) == 0


def test_accuracy_counts_the_largest_logit() -> None:
    logits = torch.tensor([[1.0, 2, 3], [3, 2, 1], [0, 0, 0]])
    assert accuracy(logits, torch.tensor([2, 1, 0])) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("logits", "labels", "sentence"),
    [
        (np.zeros((2, 3)), np.array([0, -1]), "belong to no class"),
        (np.zeros((2, 3)), np.array([0, 3]), r"0\.\.2; got 0\.\.3"),
        (np.zeros((2, 3)), np.array([0]), "shape"),
        (np.zeros((0, 3)), np.zeros(0, int), "n > 0"),
        (np.zeros(3), np.zeros(3, int), "shape"),
        (np.zeros((2, 3)), np.zeros(2), "whole numbers"),
        (np.full((2, 3), np.nan), np.zeros(2, int), "6 of 6"),
    ],
)
def test_bad_rows_are_told_in_a_sentence(logits: np.ndarray, labels: np.ndarray, sentence: str) -> None:
    for metric in (accuracy, ece):
        with pytest.raises(ScoreError, match=sentence):
            metric(logits, labels)


def test_no_bins_is_refused() -> None:
    with pytest.raises(ScoreError, match="at least 1"):
        ece(np.zeros((1, 2)), np.array([0]), bins=0)
