import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from oodcore.errors import ScoreError
from oodcore.losses.logit_adjusted import LogitAdjusted
from oodcore.priors import logit_adjust

COUNTS = [600, 300, 90, 10]


def test_worked_example() -> None:
    """Case J."""
    logits = torch.tensor([[1, 2, 3]], dtype=torch.float64)
    for label, expected in ((2, 0.986975), (0, 1.041065)):
        terms = LogitAdjusted().fit([0.7, 0.2, 0.1])(logits, torch.tensor([label]), logits)
        assert {name: v.item() for name, v in terms.items()} == {"cross_entropy": pytest.approx(expected, abs=1e-6)}
    assert (logits[0] + LogitAdjusted().fit([0.7, 0.2, 0.1]).lift).tolist() == pytest.approx(
        [0.643325, 0.390562, 0.697415], abs=1e-6
    )
    plain = LogitAdjusted(tau=0.0).fit([0.7, 0.2, 0.1])(logits, torch.tensor([2]), logits)
    assert plain["cross_entropy"].item() == pytest.approx(0.407606, abs=1e-6)


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 2.0])
def test_equals_the_formula_row_by_row(batch: tuple[Tensor, Tensor, Tensor], tau: float) -> None:
    inside, labels, _ = batch
    lift = np.log(np.array(COUNTS) / 1000) * tau
    rows = [np.log(np.exp(row + lift).sum()) - (row + lift)[y] for row, y in zip(inside.numpy(), labels, strict=True)]
    found = LogitAdjusted(tau).fit(torch.tensor(COUNTS))(*batch)["cross_entropy"]
    assert found.item() == pytest.approx(np.mean(rows), rel=1e-12)


def test_correcting_afterwards_undoes_what_it_teaches(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    """The loss of logits that were corrected is plain cross-entropy."""
    inside, labels, outside = batch
    terms = LogitAdjusted(0.7).fit(COUNTS)(logit_adjust(inside, COUNTS, 0.7), labels, outside)
    assert terms["cross_entropy"].item() == pytest.approx(F.cross_entropy(inside, labels).item(), rel=1e-12)


def test_rare_classes_must_win_by_more(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    logits = torch.zeros(1, 4, dtype=torch.float64)
    cost = [LogitAdjusted().fit(COUNTS)(logits, torch.tensor([y]), logits)["cross_entropy"].item() for y in range(4)]
    assert cost == pytest.approx([-math.log(count / 1000) for count in COUNTS])


def test_gradcheck(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    inside, labels, outside = batch
    loss = LogitAdjusted().fit(COUNTS)
    assert torch.autograd.gradcheck(
        lambda a: loss(a, labels, outside)["cross_entropy"], (inside.requires_grad_(),), fast_mode=True
    )


def test_outliers_are_not_looked_at(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    inside, labels, outside = batch
    loss = LogitAdjusted().fit(COUNTS)
    assert loss(inside, labels, outside) == loss(inside, labels, outside[:0])


def test_bad_input_is_told(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    with pytest.raises(ScoreError, match="tau must be 0 or more; got -1"):
        LogitAdjusted(tau=-1)
    with pytest.raises(ScoreError, match="needs the number of training images per class"):
        LogitAdjusted().fit()
    with pytest.raises(ScoreError, match=r"Every class needs an image.*without one: \[1, 3\]"):
        LogitAdjusted().fit([5, 0, 2, 0])
    with pytest.raises(ScoreError, match="counts are of 3 classes, the network has 4"):
        LogitAdjusted().fit([5, 1, 2])(*batch)
