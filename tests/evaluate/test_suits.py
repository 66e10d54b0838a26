"""Which sets a network can be fitted on."""

from pathlib import Path

import pytest

from oodcore.data import entry
from oodcore.data.coded_sets import CIFAR10
from oodcore.data.procedural import SETS
from oodcore.evaluate.suits import fitting_sets, outliers_beside


@pytest.fixture
def archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root that seems to hold CIFAR-10."""
    monkeypatch.delenv("OOD_DATA", raising=False)
    monkeypatch.setenv("OOD_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cifar10_jpeg32.tar.xz").touch()
    return tmp_path


def test_drawn_figures_suit_their_own_classes_only(archives: Path) -> None:
    assert [one.name for one in fitting_sets(tuple(SETS["shapes"].families), archives)] == ["shapes"]
    assert [one.name for one in fitting_sets(CIFAR10, archives)] == ["cifar10-jpeg"]


def test_nameless_classes_take_any_set_of_as_many_and_others_none(archives: Path) -> None:
    nameless = tuple(f"class {number}" for number in range(10))
    assert [one.name for one in fitting_sets(nameless, archives)] == ["shapes", "cifar10-jpeg"]
    assert fitting_sets(("ant", "bee"), archives) == []
    assert fitting_sets([f"thing {number}" for number in range(10)], archives) == []


def test_a_set_that_is_not_here_is_not_offered(tmp_path: Path, archives: Path) -> None:
    assert fitting_sets(CIFAR10, tmp_path / "elsewhere") == []


def test_outliers_are_of_the_same_coding_and_kind(archives: Path) -> None:
    assert [one.name for one in outliers_beside(entry("shapes"), archives)] == ["shapes-near", "shapes-far"]
    assert outliers_beside(entry("cifar10-jpeg"), archives) == []
