"""Who is asking: a token that nobody can guess, and that only its browser brings back."""

from pathlib import Path

import pytest
import streamlit as st

from app.services import jobs
from oodcore.jobs.queue import Queue

STORED = "s" * 43


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    state: dict[str, object] = {}
    monkeypatch.setattr(st, "session_state", state)
    return state


def test_a_session_has_one_token_and_another_has_another(session: dict[str, object]) -> None:
    first = jobs.owner()
    assert jobs.owner() == first
    assert jobs.TOKEN.fullmatch(first)
    session.clear()
    assert jobs.owner() != first


def test_the_browser_brings_its_token_back() -> None:
    assert not jobs.asked()
    mine = jobs.candidate()
    assert not jobs.asked()
    assert jobs.adopt(STORED)
    assert jobs.owner() == STORED != mine
    assert jobs.asked()
    assert not jobs.adopt(STORED)


@pytest.mark.parametrize("nonsense", [None, 3, "", "short", "x" * 200, "a b" * 20, "../" * 15])
def test_nonsense_changes_nothing(nonsense: object) -> None:
    before = jobs.owner()
    assert not jobs.adopt(nonsense)
    assert jobs.owner() == before


def test_a_link_to_nothing_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = Queue(tmp_path)
    monkeypatch.setattr(jobs, "queue", lambda: made)
    assert jobs.find(None) is None
    assert jobs.find("../etc") == "This is not the name of a run. Check the link."
    assert "There is no run" in str(jobs.find("finetune-0123456789"))
