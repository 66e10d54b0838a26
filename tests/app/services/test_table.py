import csv
import io

import torch

from app.services import resources, samples, table
from app.services.resources import Exhibit
from app.services.table import Row


def board(served: object, acceptance: float) -> tuple[Exhibit, list[Row]]:
    shown = resources.exhibit(resources.folders()["tiny"])
    pictures = samples.groups(shown.model.classes, shown.known)["shapes"].pictures()
    answers = resources.answers(shown, pictures, waiting=lambda ahead: None)
    return shown, table.rows(shown, pictures, answers, acceptance)


def test_decisions_follow_the_threshold_of_each_scorer(served: object) -> None:
    shown, found = board(served, 0.8)
    for scorer in shown.scorers:
        threshold = shown.calibration(scorer).threshold(0.8)
        for row in found:
            assert row.flagged[scorer] == (row.answer.scores[scorer] > threshold) == (row.p[scorer] <= 1 - 0.8 + 1e-12)


def test_the_csv_holds_every_score_at_full_precision(served: object) -> None:
    shown, found = board(served, 0.95)
    lines = list(csv.DictReader(io.StringIO(table.export(found, "energy", 0.95, -1.5))))
    assert len(lines) == len(found)
    for line, row in zip(lines, found, strict=True):
        assert line["decision"] == ("flagged" if row.flagged["energy"] else "kept")
        assert (line["threshold"], line["id_acceptance"]) == ("-1.5", "0.95")
        assert {name: float(line[f"score_{name}"]) for name in shown.scorers} == dict(row.answer.scores)
        assert len(line["sha256"]) == 64


def test_a_file_name_never_becomes_a_formula(served: object) -> None:
    _, found = board(served, 0.95)
    row = found[0]
    cunning = Row(row.picture._replace(name="=HYPERLINK(1)"), row.view, row.answer, row.label, row.p, row.flagged)
    assert (
        next(csv.DictReader(io.StringIO(table.export([cunning], "energy", 0.95, 0.0))))["picture"] == "'=HYPERLINK(1)"
    )


def test_scores_are_those_of_the_library_on_the_same_pixels(served: object) -> None:
    shown, found = board(served, 0.95)
    pixels = torch.stack([row.view.pixels for row in found])
    assert shown.panel is not None
    expected = shown.panel.score(shown.model, pixels)
    for name, values in expected.items():
        torch.testing.assert_close(
            torch.tensor([row.answer.scores[name] for row in found], dtype=torch.float64), values, rtol=1e-4, atol=1e-4
        )
