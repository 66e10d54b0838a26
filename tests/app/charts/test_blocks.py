"""The strip of blocks, as data."""

import numpy as np
import plotly.graph_objects as go
import pytest

from app.charts.blocks import Columns, histograms, outlines, strip, words
from app.theme import DARK, LIGHT


@pytest.fixture
def columns() -> Columns:
    random = np.random.default_rng(0)
    return Columns(
        names=("1", "2", "3"),
        selected=2,
        known=random.normal((4.0, 8.0, 2.0), 0.3, (400, 3)),
        outliers=random.normal((3.0, 8.0, 1.0), 0.3, (300, 3)),
        picture=np.array([2.0, 8.0, 3.0]),
        jigsaws=np.array([[2.0, 4.0, 1.0], [4.0, 8.0, 2.0]]),
        ratios=np.array([0.9, 0.95, 1.2]),
        own=np.array([0.8, 1.5, 2.2]),
        aurocs=np.array([0.9, 0.5, 0.99]),
    )


def test_norms_are_drawn_relative_to_the_median_known_image(columns: Columns) -> None:
    drawn = {trace.name: trace for trace in strip(columns, LIGHT, "textures").data if trace.name}
    middle = np.median(columns.known, axis=0)
    assert drawn["this picture"].y == pytest.approx(columns.picture / middle)
    assert drawn["its jigsaws"].x.tolist() == [0, 0, 1, 1, 2, 2]
    assert drawn["its jigsaws"].y == pytest.approx((columns.jigsaws / middle).T.ravel())


def halves(drawn: go.Figure) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """Of known images, then of outliers: each block's outline."""
    found = []
    for trace in drawn.select_traces({"type": "scatter", "fill": "toself"}):
        ends = np.flatnonzero(np.isnan(trace.x))
        assert ends[-1] == len(trace.x) - 1
        found.append([(x[~np.isnan(x)], y[~np.isnan(y)]) for x, y in
                      zip(np.split(trace.x, ends)[:-1], np.split(trace.y, ends)[:-1], strict=True)])  # fmt: skip
    return found


def test_known_images_lean_left_and_solid_and_outliers_right_and_dashed(columns: Columns) -> None:
    for colours in (LIGHT, DARK):
        drawn = strip(columns, colours, "x")
        known, outliers = halves(drawn)
        assert (len(known), len(outliers)) == (3, 3)
        assert all(max(across) <= block < max(across) + 0.1 for block, (across, _) in enumerate(known))
        assert all(min(across) >= block > min(across) - 0.1 for block, (across, _) in enumerate(outliers))
        lines = [trace.line for trace in drawn.select_traces({"type": "scatter", "fill": "toself"})]
        assert [line.dash == "solid" for line in lines] == [True, False]
        assert [line.color for line in lines] == [colours.id, colours.ood]


def test_what_is_drawn_can_be_taken_home(columns: Columns) -> None:
    found = outlines(columns)
    rows = list(zip(*found.values(), strict=True))
    for of, outlined in zip(("known images", "outliers"), halves(strip(columns, LIGHT, "x")), strict=True):
        for at, (across, up) in enumerate(outlined):
            norms = [norm for name, what, norm, *_ in rows if (name, what) == (columns.names[at], of)]
            heights = [height for name, what, *_, height in rows if (name, what) == (columns.names[at], of)]
            assert norms == pytest.approx(up[1:-1])
            assert [0.42 * height for height in heights] == pytest.approx(np.abs(across - at)[1:-1])
    assert [norm for _, what, _, norm, _ in rows if what == "jigsaw 2"] == [4.0, 8.0, 2.0]


def test_the_selected_block_is_named_in_words_where_it_is(columns: Columns) -> None:
    figure = strip(columns, LIGHT, "textures")
    (mark,) = [note for note in figure.layout.annotations if "selected" in note.text]
    assert mark.x == 2
    assert figure.layout.xaxis.ticktext == ("1", "2", "<b>3</b>")
    bar = next(trace for trace in figure.data if trace.type == "bar")
    assert bar.base + np.array(bar.y) == pytest.approx(columns.ratios)
    assert "NormRatio selects 3." in words(columns)


def test_without_outliers_or_ratios_less_is_drawn(columns: Columns) -> None:
    bare = columns._replace(selected=None, outliers=None, ratios=None, aurocs=None)
    figure = strip(bare, LIGHT, "")
    assert not [trace for trace in figure.data if trace.type == "bar"]
    assert not [note for note in figure.layout.annotations if "selected" in note.text]
    assert "AUROC" not in words(bare)


def test_histograms_count_every_image(columns: Columns) -> None:
    assert [sum(counts) for counts in histograms(columns.known)] == [400, 400, 400]
