from app.charts.prior import NAMED, growing
from app.theme import LIGHT


def test_every_class_has_its_bar_and_names_stand_where_there_is_room() -> None:
    drawn = growing(["a", "b"], [3, 0], LIGHT)
    assert (list(drawn.data[0].y), list(drawn.layout.xaxis.ticktext)) == ([3, 0], ["a", "b"])
    assert drawn.layout.xaxis.showticklabels
    many = growing([str(number) for number in range(NAMED + 1)], [1] * (NAMED + 1), LIGHT)
    assert len(many.data[0].y) == NAMED + 1
    assert not many.layout.xaxis.showticklabels
