"""What is sent to the board: decisions of the right checkpoint, at every setting of the dial."""

import dataclasses

import pytest
import torch

from app.components import board
from app.services import resources, samples
from app.services.decisions import differ
from app.services.table import Side
from app.widgets.compare import Compared, columns, compared
from oodcore.thresholds import Calibration

NAMES = ("shapes-resnet20w4", "shapes-resnet20w4-energy", "tiny")


@pytest.fixture
def sides(served: object) -> list[Side]:
    folders = resources.folders()
    exhibits = [resources.exhibit(folders[name]) for name in NAMES]
    return [Side(name, shown, resources.answers(shown, pictures(), lambda ahead: None)) for name, shown in
            zip(["baseline", "energy", "tiny"], exhibits, strict=True)]  # fmt: skip


def pictures() -> list[samples.Picture]:
    groups = samples.groups(samples.procedural("shapes", "test", count=1).classes, "shapes")
    return [picture for group in ("shapes", "new") for picture in groups[group].pictures()]


def test_every_decision_is_that_of_the_checkpoint_under_which_it_stands(sides: list[Side]) -> None:
    shown = compared(sides, "energy", "shapes-far", pictures()).board
    assert [panel["name"] for panel in shown["panels"]] == ["baseline", "energy", "tiny"]
    for index, photo in enumerate(shown["photos"]):
        for side, under, panel in zip(sides, photo["under"], shown["panels"], strict=True):
            score = side.answers[index].scores["energy"]
            assert under["score"] == score
            for level in range(0, len(shown["levels"]), 7):
                assert (level < under["keptFrom"]) == (score > panel["thresholds"][level])


def test_what_flips_on_the_board_is_what_differs_in_the_files(sides: list[Side]) -> None:
    shown = compared(sides, "energy", "shapes-far", pictures()).board
    level = shown["levels"].index(0.9)
    flips = [differ([level < under["keptFrom"] for under in photo["under"]]) for photo in shown["photos"]]
    flags = [
        [
            bool(side.shown.calibration("energy").is_ood([side.answers[index].scores["energy"]], 0.9)[0])
            for side in sides
        ]
        for index in range(len(pictures()))
    ]
    assert flips == [len(set(row)) > 1 for row in flags]
    assert any(flips)


def test_thresholds_keep_the_same_share_under_every_checkpoint(sides: list[Side]) -> None:
    found = compared(sides, "energy", None, pictures())
    for side, dial in zip(sides, found.dials, strict=True):
        assert dial.levels == found.dials[0].levels
        for level, threshold in zip(dial.levels[::13], dial.thresholds[::13], strict=True):
            assert threshold == side.shown.calibration("energy").threshold(level)


def test_a_short_calibration_shortens_the_dial_of_all(sides: list[Side]) -> None:
    panel = sides[2].shown.panel
    assert panel is not None
    calibrations = {**panel.calibrations, "energy": Calibration(torch.arange(19.0))}
    few = dataclasses.replace(sides[2].shown, panel=dataclasses.replace(panel, calibrations=calibrations))
    few.__dict__["key"] = "few"
    shown = compared([*sides[:2], dataclasses.replace(sides[2], shown=few)], "energy", None, pictures()).board
    assert shown["levels"][-1] == 0.95
    assert {len(panel["thresholds"]) for panel in shown["panels"]} == {len(shown["levels"])}


def test_one_checkpoint_alone_says_nothing_of_others(sides: list[Side]) -> None:
    alone = compared(sides[:1], "energy", "shapes-far", pictures()).board["words"]
    together = compared(sides, "energy", "shapes-far", pictures()).board["words"]
    assert "checkpoint" not in alone["axis"] + alone["dial"]
    assert "AUROC ↑" in alone["outliers"]
    assert "depends on the checkpoint" in together["axis"]
    assert "AUROC" not in together["outliers"]


def test_the_same_board_is_made_once_and_another_name_makes_another(sides: list[Side]) -> None:
    first = compared(sides, "energy", None, pictures())
    assert compared(sides, "energy", None, pictures()) is first
    renamed = [picture._replace(name=f"my {picture.name}") for picture in pictures()]
    assert compared(sides, "energy", None, renamed).board["photos"][0]["name"].startswith("my ")


def test_histograms_as_a_table(sides: list[Side]) -> None:
    found: Compared = compared(sides, "energy", None, pictures())
    table = columns(sides, found.drawn)
    assert len({len(values) for values in table.values()}) == 1
    assert set(table["checkpoint"]) == {"baseline", "energy", "tiny"}
    assert table["score_to"][0] == table["score_from"][1]
    assert set(table["outliers_relative_to_peak"]) == {""}


def test_the_board_is_made_of_plain_values(sides: list[Side]) -> None:
    import json

    shown = compared(sides, "energy", "shapes-far", pictures()).board
    assert json.loads(json.dumps(shown))["levels"] == list(shown["levels"])
    assert {field.name for field in dataclasses.fields(board.Panel)} == set(shown["panels"][0])
