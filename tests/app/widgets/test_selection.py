"""The table of selected images, and the ids by which the maps know them."""

import pytest

from app.components.points import Panel
from app.services import clusters, resources
from app.widgets.points import group_key, groups, panel
from app.widgets.selection import selected
from oodcore.checkpoint import folder_of
from oodcore.evaluate.atlas import load_layout

NAMES = ("shapes-resnet20w4", "shapes-resnet20w4-semantic")


@pytest.fixture(scope="module")
def maps() -> list[clusters.Map]:
    return [clusters.drawn(resources.exhibit(folder_of(name)), "features", load_layout(name)) for name in NAMES]


def test_both_maps_know_an_image_by_one_name_and_point_at_its_row(maps: list[clusters.Map]) -> None:
    found = groups(maps, dict.fromkeys(maps[0].rows))
    assert [group.role for group in found] == ["id", "aux", "ood", "ood"]
    numbers = {group.name: number for number, group in enumerate(found)}
    for one in maps:
        drawn: Panel = panel(one, numbers, [], [])
        assert [found[number].name.rpartition(":")[0] for number in drawn.set] == [
            name for name, rows in one.rows.items() for _ in rows
        ]
        assert drawn.row == [row for rows in one.rows.values() for row in rows.tolist()]


def test_the_table_holds_the_selected_images_under_both_networks(maps: list[clusters.Map]) -> None:
    key = group_key(maps[0].shown, "shapes")
    columns = selected(maps, {key: [7, 3], "no such set": [1]})
    assert set(columns["image"]) == {"shapes/3", "shapes/7"}
    place = columns["image"].index("shapes/7")
    for letter, one in zip("AB", maps, strict=True):
        start = list(one.rows).index("shapes") * 1000
        assert columns[f"energy {letter}"][place] == pytest.approx(float(one.energy[start + 7]))
        assert columns[f"nearest centre {letter}"][place] in one.shown.model.classes
    energies = columns["energy B"]
    assert energies == sorted(energies, key=lambda value: -float(str(value)))
    assert "representation B" in columns
    assert "representation A" not in columns


def test_nothing_selected_is_an_empty_table(maps: list[clusters.Map]) -> None:
    assert selected(maps, {}) == {"image": []}
