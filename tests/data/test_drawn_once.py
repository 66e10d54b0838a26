"""Drawn once, mapped ever after: the same record either way."""

from pathlib import Path

import pytest
import torch

from oodcore.data import drawn_once as module
from oodcore.data import open_set
from oodcore.data.procedural import procedural


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OOD_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("name", "imbalance"), [("shapes-near", 1.0), ("shapes-aux", 50.0)])
def test_what_is_read_is_what_was_drawn(name: str, imbalance: float, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = module.drawn_once(name, "test", imbalance)
    monkeypatch.setattr(module.procedural, "procedural", None)  # from now on nothing can be drawn
    again = module.drawn_once(name, "test", imbalance)
    assert torch.equal(again.images, fresh.images)
    assert torch.equal(again.labels, fresh.labels)
    assert (again.keys, again.name, again.role, again.classes) == (fresh.keys, fresh.name, fresh.role, fresh.classes)
    assert again.digest == fresh.digest


def test_other_code_draws_anew(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    module.drawn_once("shapes", "calibration")
    monkeypatch.setattr(module, "_version", lambda: "another")
    module.drawn_once("shapes", "calibration")
    assert len(list((cache / "arrays").iterdir())) == 2


def test_arbitrary_imbalances_do_not_fill_the_disk(cache: Path) -> None:
    assert len(open_set("shapes-aux-37", "test")) == 2000
    assert not (cache / "arrays").exists()


def test_where_nothing_can_be_written_it_is_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OOD_CACHE", str(tmp_path / "file"))
    assert torch.equal(module.drawn_once("shapes", "test").images, procedural("shapes", "test").images)
