import numpy as np
import pytest

from app.charts.score import Standing, answers, attribution, bins, class_shares, curve, ends, standings
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
    assert list(dots.y) == [0, 1]
    assert list(figure.layout.yaxis.ticktext) == ["KNN", "Energy"]
    assert list(dots.marker.symbol) == ["diamond", "circle"]
    assert list(dots.marker.color) == [LIGHT.ood, LIGHT.id]
    assert [tuple(words) for words in dots.customdata] == [("KNN", "flagged"), ("Energy", "kept")]
    assert set(dots.text) == {""}
    assert figure.layout.shapes[0].x0 == 0.95


def test_several_checkpoints_stand_below_each_other_with_their_numbers() -> None:
    rows = [
        Standing(title, rank, rank > 0.9, side)
        for title, ranks in [("Energy", [0.5, 0.99]), ("KNN", [0.95, 0.2])]
        for side, rank in zip(["baseline", "balanced"], ranks, strict=True)
    ]
    dots = standings(rows, 0.9, LIGHT).data[0]
    drawn = {tuple(words): (x, y, number, shape) for words, x, y, number, shape in zip(
        dots.customdata, dots.x, dots.y, dots.text, dots.marker.symbol, strict=True)}  # fmt: skip
    assert drawn["baseline, Energy", "kept"][0] == 0.5
    assert drawn["balanced, Energy", "flagged"][2:] == ("2", "diamond")
    assert drawn["baseline, KNN", "flagged"][2:] == ("1", "diamond")
    heights = [drawn[key][1] for key in drawn]
    assert heights == sorted(heights)
    assert drawn["baseline, Energy", "kept"][1] > 1 > drawn["balanced, Energy", "flagged"][1] > 0.5


def test_a_score_that_a_checkpoint_lacks_has_no_dot() -> None:
    rows = [Standing("Energy", 0.5, False, "a"), Standing("Energy", 0.6, False, "b"), Standing("ViM", 0.7, False, "b")]
    dots = standings(rows, 0.9, LIGHT).data[0]
    assert list(dots.text) == ["2", "2", "1"]


def test_answers_of_several_checkpoints_are_the_classes_that_any_believes_in() -> None:
    figure = answers(["a", "b", "c", "d"], [[0.9, 0.1, 0, 0], [0.2, 0.1, 0, 0.7]], ["one", "two"], LIGHT, most=2)
    assert {bar.name: list(zip(bar.y, bar.x, strict=True)) for bar in figure.data} == {
        "1 one": [("d", 0), ("a", 0.9)],
        "2 two": [("d", 0.7), ("a", 0.2)],
    }
    assert len({bar.marker.color for bar in figure.data}) == 2
    assert figure.layout.showlegend


def test_what_raises_the_energy_is_orange_and_what_lowers_it_blue() -> None:
    values = np.array([[-2.0, 0.0], [0.5, 1.0]], np.float32)
    end = ends([values, values / 10])
    figure = attribution(values, "data:image/webp;base64,", end, LIGHT)
    heat = figure.data[0]
    assert (heat.zmin, heat.zmax) == (-end, end)
    assert 1.9 < end <= 2
    low, high = heat.colorscale[0], heat.colorscale[-1]
    assert low[1].startswith("rgba(8,75,138")  # LIGHT.id
    assert high[1].startswith("rgba(194,65,12")  # LIGHT.ood
    assert heat.colorscale[2][1].endswith(",0.0)")
    assert [words[0] for words in heat.colorbar.ticktext] == ["\N{MINUS SIGN}", "0", "+"]
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # row 0 is on top, as in the picture
    assert figure.layout.images[0].layer == "below"


def test_nothing_to_explain_still_has_a_scale() -> None:
    assert ends([np.zeros((3, 3), np.float32)]) == 1.0


def test_a_curve_stands_on_the_ground_and_reaches_its_peak() -> None:
    drawn = bins(np.linspace(0, 1, 100), np.full(5, 0.9))
    found = curve(drawn, threshold=0.5, width=560, height=100)
    assert found.id.startswith("M0 100V")
    assert found.id.endswith("H560.0V100")
    assert "V0.0H" in str(found.ood)
    assert found.line == pytest.approx(280, abs=0.1)
    assert found.ends == (float(drawn.edges[0]), float(drawn.edges[-1]))
    assert curve(bins(np.linspace(0, 1, 100), None), threshold=7.0).ood is None
    assert curve(drawn, threshold=7.0, width=560).line == 560


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_charts_leave_the_background_to_the_page(colours: object) -> None:
    figure = class_shares(["a"], [1.0], colours)
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert figure.layout.font.color == colours.text
