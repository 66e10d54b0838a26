import numpy as np
import pytest

from oodcore.errors import ScoreError
from oodcore.metrics import aupr, auroc, fpr_at_recall
from oodcore.metrics.curves import densities, precision_recall_line, roc_line

DICE = np.random.default_rng(0)
INSIDE, OUTSIDE = DICE.normal(0, 1, 3000), DICE.normal(1.5, 1, 2000)


@pytest.mark.parametrize("positive", ["ood", "id"])
def test_the_area_under_the_drawn_roc_is_auroc(positive: str) -> None:
    line = roc_line(INSIDE, OUTSIDE, positive)  # type: ignore[arg-type]
    assert np.trapezoid(line.y, line.x) == pytest.approx(auroc(INSIDE, OUTSIDE), abs=1e-4)
    assert (line.x[0], line.y[0], line.x[-1], line.y[-1]) == (0, 0, 1, 1)
    assert len(line.x) < 700


@pytest.mark.parametrize("positive", ["ood", "id"])
def test_the_drawn_roc_passes_the_false_positive_rate(positive: str) -> None:
    line = roc_line(INSIDE, OUTSIDE, positive)  # type: ignore[arg-type]
    at = np.interp(0.95, line.y, line.x)
    assert at == pytest.approx(fpr_at_recall(INSIDE, OUTSIDE, positive=positive), abs=4e-3)  # type: ignore[arg-type]


@pytest.mark.parametrize("positive", ["ood", "id"])
def test_precision_ends_at_the_share_of_the_found_class(positive: str) -> None:
    line = precision_recall_line(INSIDE, OUTSIDE, positive)  # type: ignore[arg-type]
    assert line.y[-1] == pytest.approx(0.4 if positive == "ood" else 0.6)
    area = np.sum(np.diff(line.x, prepend=0) * line.y)
    assert area == pytest.approx(aupr(INSIDE, OUTSIDE, positive), abs=5e-3)  # type: ignore[arg-type]


def test_ties_are_one_step() -> None:
    line = roc_line([1.0, 1.0], [1.0])
    assert line.x.tolist() == [0, 1]
    assert line.y.tolist() == [0, 1]


def test_each_density_has_area_one_and_far_ends_are_in_the_outermost_bars() -> None:
    found = densities(INSIDE, np.concatenate([OUTSIDE, [1e6]]))
    width = np.diff(found.edges)
    assert (found.id * width).sum() == pytest.approx(1)
    assert (found.ood * width).sum() == pytest.approx(1)
    assert found.edges[-1] < 100


def test_equal_scores_have_a_density_too() -> None:
    assert np.isfinite(densities([2.0, 2.0], [2.0]).id).all()


def test_infinite_scores_are_refused() -> None:
    with pytest.raises(ScoreError):
        roc_line([1.0, np.inf], [1.0])
