from pathlib import Path

import pytest

from oodcore.data import cache_folder, roots
from oodcore.data.roots import find_root, write_once
from oodcore.errors import DataError


def test_roots_in_order(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert roots() == (Path("data"), cache_folder() / "data")
    monkeypatch.setenv("OOD_DATA", "/from/environment")
    assert roots()[0] == Path("/from/environment")
    assert roots("/argument") == (Path("/argument"), Path("data"), cache_folder() / "data")


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OOD_CACHE", "/mine")
    assert cache_folder() == Path("/mine")
    monkeypatch.delenv("OOD_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/ood-explorer")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_folder() == Path("/home/someone/.cache/ood-explorer")


def test_one_root_must_hold_everything_that_is_needed(empty_machine: Path) -> None:
    for place in ("given/a", "data/a", "data/b"):
        (empty_machine / place).mkdir(parents=True)
    assert find_root(("a",), "given") == Path("given")
    assert find_root(("a", "b"), "given") == Path("data")
    assert find_root(("c",), "given") is None
    assert find_root((), None) == Path("data")


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "new" / "set"

    def fails() -> None:
        with write_once(target) as partial:
            (partial / "half").write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert list((tmp_path / "new").iterdir()) == []
    with write_once(target) as partial:
        (partial / "whole").write_text("whole")
        assert not target.exists()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["set"]
    assert (target / "whole").read_text() == "whole"


def test_who_comes_second_leaves_the_first_copy(tmp_path: Path) -> None:
    target = tmp_path / "set"
    with write_once(target) as partial:
        (partial / "late").touch()
        target.mkdir()
        (target / "early").touch()
    assert [path.name for path in target.iterdir()] == ["early"]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"), write_once(tmp_path / "file" / "cache" / "set"):
        pass
