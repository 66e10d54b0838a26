import numpy as np
import pytest

from app.charts.benchmark import Dot, by_set, density, precision_recall, roc
from app.theme import DARK, LIGHT
from oodcore.metrics.curves import densities, precision_recall_line, roc_line

INSIDE, OUTSIDE = np.arange(20.0), np.arange(10.0, 40.0)


def test_densities_differ_in_line_and_colour() -> None:
    drawn = density(densities(INSIDE, OUTSIDE), "Energy", DARK)
    inside, outside = drawn.data
    assert (inside.line.dash, outside.line.dash) == ("solid", "dash")
    assert (inside.line.color, outside.line.color) == (DARK.id, DARK.ood)
    assert drawn.layout.showlegend
    assert "higher = more OOD" in drawn.layout.xaxis.title.text


@pytest.mark.parametrize(("positive", "up", "across"), [("ood", "OOD caught", "ID flagged"), ("id", "ID kept", "OOD")])
def test_axes_of_the_roc_name_the_found_class(positive: str, up: str, across: str) -> None:
    drawn = roc(roc_line(INSIDE, OUTSIDE, positive), 0.25, 0.95, positive, LIGHT)  # type: ignore[arg-type]
    assert drawn.layout.yaxis.title.text.startswith(up)
    assert drawn.layout.xaxis.title.text.startswith(across)
    mark = drawn.data[-1]
    assert (mark.x[0], mark.y[0]) == (25, 95)
    assert mark.text[0] == "FPR95 25.0"


def test_guessing_is_the_share_of_the_found_class() -> None:
    drawn = precision_recall(precision_recall_line(INSIDE, OUTSIDE), 0.6, "ood", LIGHT)
    assert list(drawn.data[1].y) == [60, 60]
    assert max(drawn.data[0].x) == 100


def test_every_set_has_its_mean_its_spread_its_seeds_and_its_start() -> None:
    dots = [Dot("near", 80.0, 2.0, (78.0, 82.0), 60.0), Dot("far", 90.0, None, (90.0,), None)]
    drawn = by_set(dots, "AUROC, %", "baseline", "far", LIGHT)
    means = drawn.data[-1]
    assert list(means.x) == [80, 90]
    assert list(means.error_x.array) == [2, 0]
    assert list(means.marker.size) == [10, 14]
    strokes = next(trace for trace in drawn.data if trace.marker.symbol == "line-ns-open")
    assert (list(strokes.x), list(strokes.y)) == ([78, 82], ["near", "near"])
    way = next(trace for trace in drawn.data if trace.mode == "lines")
    assert (list(way.x), list(way.y)) == ([60, 80, None], ["near", "near", None])
    starts = next(trace for trace in drawn.data if trace.marker.symbol == "diamond-open")
    assert list(starts.y) == ["near"]
    low, high = drawn.layout.xaxis.range
    assert low < 60
    assert high > 90


def test_without_a_start_there_are_no_diamonds() -> None:
    drawn = by_set([Dot("near", 80.0, None, (80.0,), None)], "AUROC, %", None, "near", LIGHT)
    assert all(trace.marker.symbol != "diamond-open" for trace in drawn.data)
