"""What is taken home from a stage."""

from app.services.lessons import library
from app.services.scenes import open_scene
from app.widgets.learn import columns


def test_the_table_holds_every_position_and_the_numbers_there() -> None:
    step, scene = library()[0]["energy"].steps[1], open_scene("energy")
    place = scene.place({"network": "fine-tuned", "temperature": 4, "picture": "coffee"})
    found = columns(step, scene, place)
    row = next(
        index
        for index, pair in enumerate(zip(found["Temperature T"], found["Network"], strict=True))
        if pair == (10.0, "as trained")
    )
    there = scene.place({"temperature": 10, "network": "as trained"})
    label = scene.facts["fpr95"].label
    assert found[label][row] == scene.value("fpr95", there)
    assert set(found["picture"]) == {"coffee"}
    assert len(found[label]) == len(scene.dials["temperature"].values) * 2
