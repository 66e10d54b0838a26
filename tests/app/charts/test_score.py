import numpy as np
import pytest

from app.charts.score import Standing, bins, class_shares, standings
from app.theme import DARK, LIGHT


def test_bins_count_every_score_even_the_far_ends() -> None:
    known = np.concatenate([np.linspace(0, 1, 999), [1e6]])
    found = bins(known, None, bars=10)
    assert found.ood is None
    assert found.edges[-1] < 2
    counts, _ = np.histogram(known.clip(found.edges[0], found.edges[-1]), found.edges)
    assert counts.sum() == 1000
    np.testing.assert_allclose(found.id, counts / counts.max())


def test_both_histograms_reach_their_own_peak_on_shared_edges() -> None:
    found = bins(np.random.default_rng(0).normal(0, 1, 500), np.random.default_rng(1).normal(9, 0.1, 20))
    assert found.ood is not None
    assert found.id.max() == found.ood.max() == 1
    assert found.edges[0] < -1
    assert found.edges[-1] > 9


def test_equal_scores_still_have_a_width() -> None:
    found = bins(np.full(7, 3.0), np.full(2, 3.0))
    assert np.all(np.diff(found.edges) > 0)
    assert found.edges[0] < 3 < found.edges[-1]


def test_the_largest_share_is_on_top_and_stands_out() -> None:
    bar = class_shares(["a", "b", "c"], [0.2, 0.7, 0.1], LIGHT).data[0]
    assert list(bar.y) == ["c", "a", "b"]
    assert bar.marker.color[-1] == LIGHT.id
    assert bar.text[-1] == "70.0 %"


def test_only_the_largest_shares_are_drawn() -> None:
    shares = np.linspace(0.001, 0.02, 100)
    bar = class_shares([f"class {index}" for index in range(100)], shares.tolist(), DARK, most=4).data[0]
    assert list(bar.y) == ["class 96", "class 97", "class 98", "class 99"]


def test_flagged_differs_by_shape_and_word_and_not_by_colour_alone() -> None:
    figure = standings([Standing("Energy", 0.5, False), Standing("KNN", 0.99, True)], 0.95, LIGHT)
    dots = figure.data[0]
    assert list(dots.y) == ["KNN", "Energy"]
    assert list(dots.marker.symbol) == ["diamond", "circle"]
    assert list(dots.marker.color) == [LIGHT.ood, LIGHT.id]
    assert list(dots.customdata) == ["flagged", "kept"]
    assert figure.layout.shapes[0].x0 == 0.95


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_charts_leave_the_background_to_the_page(colours: object) -> None:
    figure = class_shares(["a"], [1.0], colours)
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert figure.layout.font.color == colours.text
