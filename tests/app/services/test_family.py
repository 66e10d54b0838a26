import shutil
from pathlib import Path

import pytest

from app.services import family, resources


def test_shipped_checkpoints_are_called_by_what_they_were_trained_with(served: Path) -> None:
    names = family.comparable(resources.folders(), "shapes-resnet20w4")
    assert next(iter(names.items())) == ("shapes-resnet20w4", "baseline")
    assert names["shapes-resnet20w4-energy"] == "energy"
    assert names["shapes-resnet20w4-balanced"] == "balanced"
    assert names["tiny"] == "tiny"


def test_only_networks_that_decide_about_the_same_classes_are_compared(served: Path) -> None:
    names = family.comparable(resources.folders(), "tiny")
    assert "bare" not in names
    assert not [name for name in names if name.startswith("cifar10")]
    assert all(name.startswith("cifar10") for name in family.comparable(resources.folders(), "cifar10-resnet20"))


@pytest.mark.parametrize(
    ("main", "beside"),
    [
        ("shapes-resnet20w4", ["shapes-resnet20w4-energy", "shapes-resnet20w4-balanced"]),
        ("cifar10-resnet20", ["cifar10-resnet20-energy", "cifar10-resnet20-balanced"]),
        ("shapes-resnet20w4-semantic", ["shapes-resnet20w4"]),
        ("tiny", []),
        ("no-such", []),
    ],
)
def test_a_page_opens_with_the_fine_tunings_or_with_what_was_tuned(served: Path, main: str, beside: list[str]) -> None:
    assert family.usual({"no-such": Path("no-such"), **resources.folders()}, main) == beside


def test_a_network_of_another_family_keeps_its_own_name(served: Path) -> None:
    names = family.comparable(resources.folders(), "cifar10-resnet20")
    assert names["cifar10-resnet20-energy"] == "energy"
    assert names["cifar10-lt-resnet20-energy"] == "cifar10-lt-resnet20-energy"
    long_tailed = family.comparable(resources.folders(), "cifar10-lt-resnet20-oe")
    assert (long_tailed["cifar10-lt-resnet20"], long_tailed["cifar10-resnet20"]) == ("baseline", "cifar10-resnet20")


def test_equal_names_give_way_to_the_folders(served: Path, tmp_path: Path) -> None:
    folders = resources.folders()
    twin = tmp_path / "checkpoints" / "twin"
    shutil.copytree(folders["shapes-resnet20w4-energy"], twin)
    names = family.comparable({**folders, "twin": twin}, "shapes-resnet20w4")
    assert (names["twin"], names["shapes-resnet20w4-energy"]) == ("twin", "energy")
    energy = {"a": folders["shapes-resnet20w4-energy"], "b": folders["shapes-resnet20w4-energy"]}
    assert family.comparable(energy, "a") == {"a": "a", "b": "b"}


def test_a_damaged_card_is_left_out(served: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(served / "tiny", folder)
    (folder / "card.json").write_text("{")
    assert family.card_of(folder) is None
    assert "damaged" not in family.comparable({"tiny": served / "tiny", "damaged": folder}, "tiny")
