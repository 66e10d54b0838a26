"""Two checkpoints, as data."""

import pytest

from app.charts.checkpoints import Versus, areas
from app.theme import LIGHT


def test_each_side_has_its_own_mark_value_and_interval() -> None:
    rows = [Versus("near", 0.7, 0.8, ((0.6, 0.75), None)), Versus("far", 0.9, 0.85, (None, (0.8, 0.9)))]
    figure = areas(rows, ("a", "b"), LIGHT)
    left, right = [trace for trace in figure.data if trace.mode == "markers"]
    assert (left.name, right.name) == ("a", "b")
    assert (left.y, left.x) == (("far", "near"), (0.9, 0.7))
    assert right.x == (0.85, 0.8)
    assert left.marker.symbol != right.marker.symbol
    assert left.error_x.array == pytest.approx([0, 0.05])
    assert left.error_x.arrayminus == pytest.approx([0, 0.1])
    assert right.error_x.array == pytest.approx([0.05, 0])
