"""Before and after as data."""

import numpy as np
import pytest

from app.charts.finetune import before_and_after, columns, spread
from app.theme import LIGHT

KNOWN, OUTLIERS = np.linspace(-12, -8, 50), np.linspace(-6, -1, 40)


def test_every_image_is_in_a_bar_and_all_share_the_edges() -> None:
    drawn = spread((KNOWN, OUTLIERS), (KNOWN - 3, np.append(OUTLIERS, 900.0)))
    for shares in drawn[1:]:
        assert shares.sum() == pytest.approx(1.0)
    assert drawn.edges[0] < KNOWN.min() - 3
    table = columns(drawn)
    assert {len(column) for column in table.values()} == {len(drawn.edges) - 1}
    assert table["before_known"] == drawn.before_id.tolist()


def test_known_is_solid_outliers_dashed_and_margins_stand_in_both_rows() -> None:
    figure = before_and_after(spread((KNOWN, OUTLIERS), (KNOWN, OUTLIERS)), (-9.0, -4.0), ("in", "out"), LIGHT)
    looks = [(line.name, line.line.color, line.line.dash) for line in figure.data]
    assert looks == [("in", LIGHT.id, "solid"), ("out", LIGHT.ood, "dash")] * 2
    assert sorted({shape.x0 for shape in figure.layout.shapes}) == [-9.0, -4.0]
    assert len(figure.layout.shapes) == 4
    words = [note.text for note in figure.layout.annotations]
    assert "<b>Before</b>" in words
    assert "margin out −4.00" in words


def test_a_loss_without_margins_has_none() -> None:
    figure = before_and_after(spread((KNOWN, OUTLIERS), (KNOWN, OUTLIERS)), None, ("in", "out"), LIGHT)
    assert not figure.layout.shapes
