"""The table of selected images, and the ids by which the maps know them."""

from collections.abc import Sequence

import pytest

from app.components.points import Chosen, Panel
from app.services import clusters, resources, samples, spreadsheet
from app.widgets.points import group_key, groups, panel
from app.widgets.selection import selected
from oodcore.checkpoint import folder_of
from oodcore.evaluate.atlas import load_layout

NAMES = ("shapes-resnet20w4", "shapes-resnet20w4-semantic")


@pytest.fixture(scope="module")
def maps() -> list[clusters.Map]:
    return [clusters.drawn(resources.exhibit(folder_of(name)), "features", load_layout(name)) for name in NAMES]


def drawn(maps: Sequence[clusters.Map], pictures: Sequence[samples.Picture] = ()) -> list[Panel]:
    """As the page draws them."""
    numbers = {
        group.name: at for at, group in enumerate(groups(maps, {name: None for one in maps for name in one.rows}))
    }
    return [
        panel(one, numbers, pictures, resources.answers(one.shown, pictures, lambda ahead: None) if pictures else [])
        for one in maps
    ]


def test_both_maps_know_an_image_by_one_name_and_point_at_its_row(maps: list[clusters.Map]) -> None:
    found = groups(maps, dict.fromkeys(maps[0].rows))
    assert [group.role for group in found] == ["id", "aux", "ood", "ood"]
    numbers = {group.name: number for number, group in enumerate(found)}
    for one in maps:
        shown = panel(one, numbers, [], [])
        assert [found[number].name.rpartition(":")[0] for number in shown.set] == [
            name for name, rows in one.rows.items() for _ in rows
        ]
        assert shown.row == [row for rows in one.rows.values() for row in rows.tolist()]


def test_the_table_holds_the_selected_images_under_both_networks(maps: list[clusters.Map]) -> None:
    key = group_key(maps[0].shown, "shapes")
    columns = selected(maps, drawn(maps), Chosen({key: [7, 3], "no such set": [1]}, [], None))
    assert set(columns["image"]) == {"shapes/3", "shapes/7"}
    place = columns["image"].index("shapes/7")
    for letter, one in zip("AB", maps, strict=True):
        start = list(one.rows).index("shapes") * 1000
        assert columns[f"energy {letter}"][place] == pytest.approx(float(one.energy[start + 7]))
        assert columns[f"nearest centre {letter}"][place] in one.shown.model.classes
    energies = columns["energy A"]
    assert energies == sorted(energies, key=lambda value: -float(str(value)))
    assert "representation B" in columns
    assert "representation A" not in columns


def test_photos_stand_among_the_images_by_their_energy_on_the_first_map(maps: list[clusters.Map]) -> None:
    pictures = samples.groups(maps[0].shown.model.classes, maps[0].shown.known)["textures"].pictures()
    panels, ids = drawn(maps, pictures), [picture.id for picture in pictures]
    key = group_key(maps[0].shown, "shapes")
    columns = selected(maps, panels, Chosen({key: list(range(200))}, [*ids[:2], "no longer placed"], None))
    assert len(columns["image"]) == 202
    assert {len(values) for values in columns.values()} == {202}
    assert columns["energy A"] == sorted(columns["energy A"], key=lambda value: -float(str(value)))
    for photo in panels[1].photos[:2]:
        place = columns["image"].index(photo.name)
        assert columns["set"][place] == "placed, not fitted"
        assert columns["energy B"][place] == photo.energy
        assert columns["representation B"][place] == photo.representation
        assert columns["nearest centre B"][place] == maps[1].shown.model.classes[photo.nearest]
        assert columns["distance to it B"][place] == photo.distance


def test_photos_alone_make_a_table_too(maps: list[clusters.Map]) -> None:
    picture = samples.groups(maps[0].shown.model.classes, maps[0].shown.known)["textures"].pictures()[0]
    cunning = picture._replace(name="=HYPERLINK(1)")
    columns = selected(maps[:1], drawn(maps[:1], [cunning]), Chosen({}, [picture.id], None))
    assert columns["image"] == ["=HYPERLINK(1)"]
    assert spreadsheet.comma_separated(columns).splitlines()[1].startswith("'=HYPERLINK(1)")


def test_images_of_the_second_map_alone_come_last_by_its_own_energy(maps: list[clusters.Map]) -> None:
    other = clusters.drawn(resources.exhibit(folder_of("cifar10-resnet20")), "features", None)
    name = next(iter(other.rows))
    rows = {group_key(maps[0].shown, "shapes"): [3], group_key(other.shown, name): [5, 1, 9]}
    both = [maps[0], other]
    columns = selected(both, drawn(both), Chosen(rows, [], None))
    assert columns["image"][0] == "shapes/3"
    assert columns["energy A"][1:] == [None] * 3
    assert columns["energy B"][1:] == sorted(columns["energy B"][1:], key=lambda value: -float(str(value)))


def test_nothing_selected_is_an_empty_table(maps: list[clusters.Map]) -> None:
    assert selected(maps, drawn(maps), Chosen({}, [], None)) == {"image": []}
