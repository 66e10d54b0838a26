import math

import numpy as np
import pytest
import torch
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.losses import tail_contrastive
from oodcore.losses._contrastive import anchor_losses, tail_start, tail_weights

VIEW1 = torch.tensor([[1, 0], [0, 1]], dtype=torch.float64)
VIEW2 = torch.tensor([[1, 0.2], [0.1, 1]], dtype=torch.float64)
OOD = torch.tensor([[1, 1]], dtype=torch.float64)
LABELS = torch.tensor([8, 9])


def views(rows: int = 6, seed: int = 3) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    draws = torch.Generator().manual_seed(seed)
    first, second, ood = (torch.randn(n, 3, generator=draws, dtype=torch.float64) for n in (rows, rows, 4))
    return first, second, ood, torch.tensor([8, 1, 6, 8, 5, 9])[:rows]


def reference(view1: Tensor, view2: Tensor, ood: Tensor, labels: Tensor, temperature: float, start: int) -> list[float]:
    """Anchor by anchor, pair by pair."""
    unit = [row / np.linalg.norm(row) for view in (view1, view2) for row in view.numpy()]
    kept = [(row, int(y)) for row, y in zip(unit, labels.tolist() * 2, strict=True) if y >= start]
    away = [row / np.linalg.norm(row) for row in ood.numpy()]
    lost = []
    for i, (row, y) in enumerate(kept):
        others = [(other, z) for j, (other, z) in enumerate(kept) if j != i]
        mass = sum(math.exp(row @ other / temperature) for other in [other for other, _ in others] + away)
        own = [math.log(math.exp(row @ other / temperature) / mass) for other, z in others if z == y]
        lost.append(-sum(own) / len(own))
    return lost


def test_worked_example() -> None:
    """Case T."""
    lost = anchor_losses(torch.cat([VIEW1, VIEW2]), LABELS.repeat(2), OOD, 0.5)
    assert lost.tolist() == pytest.approx([0.637150, 0.642506, 0.790238, 0.720219], abs=1e-6)
    mean = tail_contrastive(VIEW1, VIEW2, OOD, LABELS, temperature=0.5, tail_start=6)
    assert mean.item() == pytest.approx(0.697528, abs=1e-6)


@pytest.mark.parametrize("start", [0, 6, 9])
def test_equals_the_formula_pair_by_pair(start: int) -> None:
    batch = views()
    found = tail_contrastive(*batch, temperature=0.2, tail_start=start)
    assert found.item() == pytest.approx(np.mean(reference(*batch, 0.2, start)), rel=1e-12)


def test_rare_classes_are_the_last_two_fifths() -> None:
    assert (tail_start(10), tail_start(100)) == (6, 60)
    assert tail_weights(10).tolist() == [-1] * 6 + [1] * 4
    assert int((tail_weights(100) > 0).sum()) == 40
    assert (tail_start(100, 0.5), int((tail_weights(100, 0.5) > 0).sum())) == (50, 50)


def test_the_published_weights_change_nothing_inside_the_tail() -> None:
    batch = views()
    plain = tail_contrastive(*batch, temperature=0.2, tail_start=6)
    assert tail_contrastive(*batch, temperature=0.2, tail_start=6, weights=tail_weights(10)).item() == plain.item()
    weights = torch.arange(10.0)
    lost, classes = reference(*batch, 0.2, 6), [y for y in batch[3].tolist() * 2 if y >= 6]
    expected = np.mean([weight * value for weight, value in zip(classes, lost, strict=True)])
    found = tail_contrastive(*batch, temperature=0.2, tail_start=6, weights=weights)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_frequent_classes_are_neither_anchors_nor_contrast() -> None:
    first, second, ood, labels = views()
    changed = first.clone()
    changed[labels < 6] += 5
    same = [tail_contrastive(view, second, ood, labels, temperature=0.2, tail_start=6) for view in (first, changed)]
    assert same[0].item() == same[1].item()


def test_without_a_rare_class_it_is_zero_with_a_graph() -> None:
    first, second, ood, labels = views()
    value = tail_contrastive(first.requires_grad_(), second, ood, labels, temperature=0.2, tail_start=10)
    assert value.item() == 0
    assert torch.autograd.grad(value, first)[0].abs().sum() == 0


def test_gradcheck_and_outliers_repel() -> None:
    first, second, ood, labels = views()
    inputs = tuple(part.requires_grad_() for part in (first, second, ood))
    assert torch.autograd.gradcheck(
        lambda a, b, c: tail_contrastive(a, b, c, labels, temperature=0.5, tail_start=6), inputs, fast_mode=True
    )
    near, far = (
        tail_contrastive(VIEW1, VIEW2, torch.tensor([rows], dtype=torch.float64), LABELS, temperature=0.5, tail_start=6)
        for rows in ([1.0, 1.0], [-1.0, -1.0])
    )
    assert near.item() > far.item()


def test_lengths_of_embeddings_do_not_matter() -> None:
    first, second, ood, labels = views()
    plain = tail_contrastive(first, second, ood, labels, temperature=0.2, tail_start=6)
    longer = tail_contrastive(9 * first, 0.1 * second, 3 * ood, labels, temperature=0.2, tail_start=6)
    assert longer.item() == pytest.approx(plain.item(), rel=1e-12)


def test_a_temperature_that_is_not_above_zero_is_refused() -> None:
    with pytest.raises(ScoreError, match="temperature must be above 0; got 0"):
        tail_contrastive(*views(), temperature=0.0, tail_start=6)
