"""What figures hold when they are taken home: the CSV of each is what is drawn."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import app
from app.services import outliers, resources
from app.services.scenes import open_scene
from oodcore.checkpoint import shipped

BASE = "shapes-resnet20w4"
pytestmark = pytest.mark.skipif(BASE not in shipped(), reason="no shipped checkpoints here")


@pytest.fixture(autouse=True)
def _nothing_stored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No queue and no data sets but those that are drawn."""
    monkeypatch.setenv("OOD_JOBS", str(tmp_path / "jobs"))
    monkeypatch.setenv("OOD_DATA", str(tmp_path))


def opened(view: str, /, **link: str) -> AppTest:
    page = AppTest.from_file(str(Path(app.__file__).parent / "views" / f"{view}.py"), default_timeout=120)
    for key, value in link.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def given(page: AppTest, component: str) -> list[dict[str, Any]]:
    """What the browser is given for every component of that name."""
    found = page.get("bidi_component")
    return [json.loads(one.proto.json) for one in found if one.proto.component_name.endswith(component)]


def saved(page: AppTest, name: str) -> list[dict[str, str]]:
    """The lines of the CSV of a figure."""
    (table,) = (one["table"] for one in given(page, "saves") if one["name"] == name)
    return list(csv.DictReader(io.StringIO(table)))


def of(lines: list[dict[str, str]], part: str) -> list[dict[str, str]]:
    return [line for line in lines if line["part"] == part]


def test_the_prior_holds_its_bars_and_every_point() -> None:
    page = opened("prior", checkpoint=f"{BASE}-balanced", outliers="shapes-aux-50", gamma="0.5", alpha="4")
    lines = saved(page, "outlier-prior")
    assert len(of(lines, "classes")) == 10
    points = of(lines, "outliers")
    folder = resources.folders()[f"{BASE}-balanced"]
    shown = resources.exhibit(folder)
    found = outliers.source(folder, shown, "shapes-aux-50")
    assert found is not None
    assert len(points) == len(found.census.rows)
    assert [float(one["energy"]) for one in points] == pytest.approx(found.census.energies.tolist(), rel=1e-5)
    base = outliers.margins(folder, shown, found).outside
    for one in points[:50]:
        assert float(one["margin"]) == pytest.approx(base + 4 * float(one["Z"]), abs=1e-3)
        assert (one["loss"] == "pushes it up") is (float(one["energy"]) < float(one["margin"]))


def test_blocks_hold_outlines_and_jigsaws() -> None:
    lines = saved(opened("blocks", checkpoint=BASE), "block-norms")
    blocks = [line["block"] for line in of(lines, "blocks")]
    drawn = of(lines, "distributions")
    assert {line["block"] for line in drawn} == set(blocks)
    assert {line["of"] for line in drawn} >= {"known images", "outliers", "jigsaw 1", "jigsaw 8"}


def test_a_lesson_holds_the_heights_and_curves_of_where_its_dials_stand() -> None:
    page = opened("learn", lesson="energy", step="2")
    (name,) = (one["name"] for one in given(page, "saves"))
    lines = saved(page, name)
    scene = open_scene("energy")
    (stage,) = given(page, "stage")
    at = {dial["name"]: dial["start"] for dial in stage["dials"]} | {"picture": stage["picture"]}
    (view,) = (one for one in stage["views"] if one["kind"] == "histogram")
    place = scene.place({}) | at
    sets = next(one for one in scene.views.values() if one.title == view["title"]).sets  # type: ignore[union-attr]
    for each in sets:
        bars = [line for line in of(lines, view["title"]) if line["name"] == each.name]
        assert [float(line["height"]) for line in bars] == each.heights.at(place).tolist()
        assert all(float(line["from"]) < float(line["to"]) for line in bars)


def test_every_drawing_of_every_lesson_has_its_numbers() -> None:
    from app.services.lessons import library

    for lesson in library()[0].values():
        for step in lesson.steps:
            scene = open_scene(lesson.scene)
            parts = scene.drawn(step.show, scene.place(step.preset))
            assert len(parts) == len(step.show.views)
            assert all(columns and all(len(column) > 1 for column in columns.values()) for columns in parts.values())


def test_two_checkpoints_hold_their_intervals() -> None:
    page = opened("checkpoints", view="two", checkpoint=BASE, beside=f"{BASE}-energy")
    for line in saved(page, "two-checkpoints"):
        for name in (BASE, f"{BASE}-energy"):
            low, high = (float(line[f"{name}, {end} of 95 %"]) for end in ("low end", "high end"))
            assert low < float(line[name]) < high


def test_a_cell_of_the_benchmark_holds_every_seed() -> None:
    lines = saved(opened("benchmark"), "on-every-set")
    means, seeds = of(lines, "mean"), of(lines, "seed")
    for line in means:
        own = [float(one["percent"]) for one in seeds if one["test_set"] == line["test_set"]]
        assert sum(own) / len(own) == pytest.approx(float(line["percent"]))


def test_the_nearest_known_pictures_can_be_taken_home_as_numbers() -> None:
    page = opened("score", checkpoint=BASE)
    lines = saved(page, "nearest")
    distances = [float(line["distance"]) for line in of(lines, "nearest") if line["checkpoint"] == "baseline"]
    assert distances == sorted(distances)
    assert len(distances) == 8
    assert sum(int(line["count"]) for line in of(lines, "of 20") if line["checkpoint"] == "baseline") == 20
    assert [one["picture"] for one in given(page, "saves") if one["name"] == "nearest"] == [False]


def test_a_network_of_balanced_energy_tells_crowding_and_margin_of_the_picture() -> None:
    said = [text.value for text in opened("score", checkpoint=f"{BASE}-balanced").caption if "crowding" in text.value]
    assert len(said) == 1
    assert "m + αZ = −" in said[0]
    assert "shapes-resnet20w4-balanced" not in said[0] or "balanced was trained" in said[0]


def test_numbers_below_zero_stay_numbers() -> None:
    """Text that begins with a minus would get an apostrophe, for a spreadsheet might take it for a formula."""
    lines = saved(opened("score", checkpoint=BASE, map="true"), "energy-map-1")
    assert any(float(line["attribution"]) < 0 for line in lines)
