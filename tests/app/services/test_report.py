import html
import re
from html.parser import HTMLParser

import pytest

from app.charts.score import bins, curve
from app.services import decisions, resources, samples, table
from app.services.report import Settings, report
from app.services.table import Row, Side

NAMES = ("shapes-resnet20w4", "tiny")


class Links(HTMLParser):
    """Everything in a page that a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += [str(value) for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]


def board(acceptance: float = 0.9) -> tuple[list[Side], list[Row], str]:
    folders = resources.folders()
    exhibits = [resources.exhibit(folders[name]) for name in NAMES]
    pictures = samples.groups(exhibits[0].model.classes, "shapes")["new"].pictures()
    pictures[0] = pictures[0]._replace(name="<script>alert(1)</script>")
    sides = [
        Side(name, shown, resources.answers(shown, pictures, waiting=lambda ahead: None))
        for name, shown in zip(NAMES, exhibits, strict=True)
    ]
    found = table.rows(sides, pictures, acceptance, ["energy", "knn", "vim"])
    dials = decisions.common([resources.settings(side.shown, side.shown.key, "energy", None) for side in sides])
    level = decisions.nearest(dials[0].levels, acceptance)
    drawn = [bins(side.shown.calibration("energy").scores.numpy(), None) for side in sides]
    curves = [curve(one, dial.thresholds[level]) for one, dial in zip(drawn, dials, strict=True)]
    settings = Settings("energy", ["energy", "knn", "vim"], acceptance, level, "")
    return sides, found, report(found, sides, dials, curves, settings, str)


@pytest.fixture
def made(served: object) -> tuple[list[Side], list[Row], str]:
    return board()


def test_the_report_asks_for_nothing_and_carries_its_pictures(made: tuple[list[Side], list[Row], str]) -> None:
    _, found, text = made
    links = Links()
    links.feed(text)
    assert len(links.found) == len(found)
    assert all(link.startswith("data:image/webp;base64,") for link in links.found)
    assert "script" not in links.tags
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert not re.findall(r"https?://|url\(|@import", text)


def test_names_are_text(made: tuple[list[Side], list[Row], str]) -> None:
    text = made[2]
    assert "<script>" not in text
    assert html.escape("<script>alert(1)</script>") in text


def test_decisions_thresholds_and_settings_are_those_of_the_board(made: tuple[list[Side], list[Row], str]) -> None:
    sides, found, text = made
    for side in sides:
        assert str(side.shown.calibration("energy").threshold(0.9)) in text
        assert side.shown.name in text
    assert "90.0 %" in text
    assert "p ≤ 0.100" in text
    decided = re.findall(r'<td class="decision (kept|flagged)">', text)
    assert decided == ["flagged" if verdict.flagged["energy"] else "kept" for row in found for verdict in row.verdicts]
    differing = sum(row.differs("energy") for row in found)
    assert f"{differing} of {len(found)} decisions depend on the checkpoint" in text
    assert text.count('<tr class="differs">') == differing
    assert text.count("<svg ") == len(sides)


def test_a_score_that_a_checkpoint_lacks_is_left_out_of_its_table(made: tuple[list[Side], list[Row], str]) -> None:
    first, second = made[2].split("Several scores: ")[1:]
    assert "<th>ViM</th>" in first
    assert "<th>ViM</th>" not in second
