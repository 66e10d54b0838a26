"""Counting answers without knowing whose."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.services import ballots
from app.services.ballots import Ballots

OPTIONS = ("up", "same", "down")


def test_votes_add_up_and_outlive_the_server(tmp_path: Path) -> None:
    file = tmp_path / "learn" / "answers.json"
    assert Ballots(file).counts("q", OPTIONS) == {"up": 0, "same": 0, "down": 0}
    for option in ("up", "down", "up"):
        found = Ballots(file).vote("q", option, OPTIONS)
    assert found == {"up": 2, "same": 0, "down": 1}
    assert Ballots(file).counts("q", OPTIONS) == found
    assert json.loads(file.read_text()) == {"q": {"up": 2, "down": 1}}


def test_a_whole_class_at_once_and_two_servers(tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    servers = [Ballots(file), Ballots(file)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: servers[n % 2].vote("q", OPTIONS[n % 3], OPTIONS), range(30)))
    assert servers[0].counts("q", OPTIONS) == {"up": 10, "same": 10, "down": 10}


def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ballots, "MOST", 3)
    monkeypatch.setattr(ballots, "QUESTIONS", 2)
    box = Ballots(tmp_path / "answers.json")
    for _ in range(5):
        box.vote("a", "up", OPTIONS)
    assert box.counts("a", OPTIONS)["up"] == 3
    box.vote("b", "up", OPTIONS)
    assert box.vote("c", "up", OPTIONS)["up"] == 0
    assert len(json.loads((tmp_path / "answers.json").read_text())) == 2


@pytest.mark.parametrize("content", ["", "no json", "[1]", '{"q": 3}', '{"q": {"up": "many"}}'])
def test_a_spoiled_file_counts_as_empty(tmp_path: Path, content: str) -> None:
    file = tmp_path / "answers.json"
    file.write_text(content)
    assert Ballots(file).counts("q", OPTIONS)["up"] == 0
    assert Ballots(file).vote("q", "up", OPTIONS)["up"] == 1


def test_a_folder_that_cannot_be_written_is_counted_for_now(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    box = Ballots(tmp_path / "file" / "answers.json")
    box.vote("q", "up", OPTIONS)
    assert box.vote("q", "up", OPTIONS) == {"up": 2, "same": 0, "down": 0}
    assert box.counts("q", OPTIONS)["up"] == 2
