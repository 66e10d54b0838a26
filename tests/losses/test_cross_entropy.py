import math

import pytest
import torch
from torch import Tensor

from oodcore.losses.cross_entropy import CrossEntropy


def test_worked_example() -> None:
    """Case B: images [5,1,0] of class 0 and [2,1,0] of class 1."""
    logits = torch.tensor([[5, 1, 0], [2, 1, 0]], dtype=torch.float64)
    terms = CrossEntropy().fit()(logits, torch.tensor([0, 1]), logits)
    assert {name: value.item() for name, value in terms.items()} == {"cross_entropy": pytest.approx(0.716175, abs=1e-6)}


def test_equals_the_textbook_row_by_row(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    inside, labels, outside = batch
    rows = [math.log(sum(map(math.exp, row))) - row[y] for row, y in zip(inside.tolist(), labels.tolist(), strict=True)]
    assert CrossEntropy().fit()(inside, labels, outside)["cross_entropy"].item() == pytest.approx(sum(rows) / 5)


def test_it_needs_no_evidence_and_no_outliers(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    inside, labels, outside = batch
    loss = CrossEntropy()
    assert loss.fit("anything")(inside, labels, outside[:0]) == loss.fit()(inside, labels, outside)
