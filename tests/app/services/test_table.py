import csv
import io

import torch

from app.services import resources, samples, table
from app.services.resources import Exhibit
from app.services.table import Row, Side


def board(served: object, acceptance: float, *names: str) -> tuple[list[Side], list[Row]]:
    folders = resources.folders()
    exhibits = {name: resources.exhibit(folders[name]) for name in names or ("tiny",)}
    main = next(iter(exhibits.values()))
    groups = samples.groups(main.model.classes, main.known)
    pictures = [*groups["shapes"].pictures(), *groups["textures"].pictures()]
    sides = [
        Side(name, shown, resources.answers(shown, pictures, waiting=lambda ahead: None))
        for name, shown in exhibits.items()
    ]
    return sides, table.rows(sides, pictures, acceptance)


def alone(served: object, acceptance: float) -> tuple[Exhibit, list[Row]]:
    (side,), found = board(served, acceptance)
    return side.shown, found


def exported(sides: list[Side], found: list[Row], acceptance: float) -> list[dict[str, str]]:
    thresholds = [side.shown.calibration("energy").threshold(acceptance) for side in sides]
    return list(csv.DictReader(io.StringIO(table.export(found, sides, "energy", acceptance, thresholds))))


def test_decisions_follow_the_threshold_of_each_scorer(served: object) -> None:
    shown, found = alone(served, 0.8)
    for scorer in shown.scorers:
        threshold = shown.calibration(scorer).threshold(0.8)
        for row in found:
            main = row.main
            assert main.flagged[scorer] == (main.answer.scores[scorer] > threshold)
            assert main.flagged[scorer] == (main.p[scorer] <= 1 - 0.8 + 1e-12)


def test_the_csv_holds_every_score_at_full_precision(served: object) -> None:
    (side,), found = board(served, 0.95)
    lines = exported([side], found, 0.95)
    assert len(lines) == len(found)
    for line, row in zip(lines, found, strict=True):
        assert line["decision"] == ("flagged" if row.main.flagged["energy"] else "kept")
        assert float(line["threshold"]) == side.shown.calibration("energy").threshold(0.95)
        assert (line["id_acceptance"], line["checkpoints_differ"]) == ("0.95", "False")
        assert {name: float(line[f"score_{name}"]) for name in side.shown.scorers} == dict(row.main.answer.scores)
        assert len(line["sha256"]) == 64


def test_a_picture_has_a_line_for_each_checkpoint_with_its_own_scores_and_threshold(served: object) -> None:
    sides, found = board(served, 0.9, "shapes-resnet20w4", "tiny")
    lines = exported(sides, found, 0.9)
    assert [line["checkpoint"] for line in lines] == ["shapes-resnet20w4", "tiny"] * len(found)
    assert len({line["threshold"] for line in lines}) == 2
    for index, line in enumerate(lines):
        side, row = sides[index % 2], found[index // 2]
        answer = side.answers[index // 2]
        assert float(line["score_energy"]) == answer.scores["energy"]
        assert line["decision"] == ("flagged" if answer.scores["energy"] > float(line["threshold"]) else "kept")
        pair = {lines[2 * (index // 2)]["decision"], lines[2 * (index // 2) + 1]["decision"]}
        assert line["checkpoints_differ"] == str(len(pair) == 2) == str(row.differs("energy"))
    assert {line["score_vim"] for line in lines if line["checkpoint"] == "tiny"} == {""}


def test_the_page_lists_the_decision_of_every_checkpoint(served: object) -> None:
    _, found = board(served, 0.9, "shapes-resnet20w4", "tiny")
    for line, row in zip(table.shown_columns(found, ["baseline", "tiny"], "energy", ["energy"]), found, strict=True):
        words = ["flagged" if verdict.flagged["energy"] else "kept" for verdict in row.verdicts]
        assert [line["By baseline"], line["By tiny"]] == words
        assert line["Differ"] == (words[0] != words[1])
    (line, *_) = table.shown_columns(*board(served, 0.9)[::-1][:1], ["tiny"], "energy", ["energy"])
    assert "Decision" in line
    assert "Differ" not in line


def test_a_file_name_never_becomes_a_formula(served: object) -> None:
    sides, found = board(served, 0.95)
    cunning = Row(found[0].picture._replace(name="=HYPERLINK(1)"), found[0].view, found[0].verdicts)
    assert exported(sides, [cunning], 0.95)[0]["picture"] == "'=HYPERLINK(1)"


def test_scores_are_those_of_the_library_on_the_same_pixels(served: object) -> None:
    shown, found = alone(served, 0.95)
    pixels = torch.stack([row.view.pixels for row in found])
    assert shown.panel is not None
    expected = shown.panel.score(shown.model, pixels)
    for name, values in expected.items():
        torch.testing.assert_close(
            torch.tensor([row.main.answer.scores[name] for row in found], dtype=torch.float64),
            values,
            rtol=1e-4,
            atol=1e-4,
        )


def test_a_score_with_passes_of_its_own_waits_for_its_turn(served: object) -> None:
    shown = resources.exhibit(resources.folders()["shapes-resnet20w4"])
    assert shown.panel is not None
    slow = shown.panel.gradient_names[:1]
    picture = (
        samples.groups(shown.model.classes, shown.known)["new"].pictures()[0]._replace(id="looked at nowhere else")
    )
    side = Side("alone", shown, resources.answers(shown, [picture], waiting=lambda ahead: None))
    waits: list[int] = []
    table.rows([side], [picture], 0.95, ["energy"], waits.append)
    assert waits == []
    (row,) = table.rows([side], [picture], 0.95, ["energy", *slow], waits.append)
    assert waits == [0]
    assert slow[0] in row.main.p
