"""Every shipped checkpoint has a map of its own reference, and an old map is not taken for a new one."""

import shutil
from pathlib import Path

import pytest
import torch

from oodcore.checkpoint import folder_of, read_card, seal, shipped
from oodcore.checkpoint.layout import LAYOUT, REFERENCE
from oodcore.errors import CheckpointError
from oodcore.evaluate.atlas import distance_of, load_layout, reference_digest, spaces_of
from oodcore.maps import MOST_POINTS, nearest_center


@pytest.mark.parametrize("name", shipped())
def test_each_shipped_checkpoint_has_a_map_of_its_present_reference(name: str) -> None:
    layout = load_layout(name)
    assert layout is not None
    rows, spaces = spaces_of(folder_of(name))
    assert {key: chosen.tolist() for key, chosen in layout.rows.items()} == {k: v.tolist() for k, v in rows.items()}
    assert set(layout.xy) == set(spaces)
    for space, cloud in spaces.items():
        assert len(layout.xy[space]) == len(cloud.rows) <= MOST_POINTS
        assert len(layout.centers[space]) == len(cloud.centers)
        both = torch.cat([layout.xy[space], layout.centers[space]])
        assert float(both.min()) >= -1e-6
        assert float(both.max()) <= 1 + 1e-6


@pytest.mark.parametrize("name", shipped())
def test_a_map_keeps_near_what_is_near(name: str) -> None:
    """Points in the order of the rows: with any other order the nearest centre on the map would be a random one."""
    layout, (_, spaces) = load_layout(name), spaces_of(folder_of(name))
    assert layout is not None
    for space, cloud in spaces.items():
        known = cloud.labels >= 0
        flat = cloud.owners[torch.cdist(layout.xy[space], layout.centers[space]).argmin(1)]
        real, _ = nearest_center(cloud.rows, cloud)
        assert float((flat == real)[known].float().mean()) > 0.6


def copied(name: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder_of(name), tmp_path / name))


def test_a_map_of_an_earlier_reference_counts_as_none(tmp_path: Path) -> None:
    folder = copied("shapes-resnet20w4", tmp_path)
    assert load_layout(folder) is not None
    shutil.copyfile(folder_of("shapes-resnet20w4-oe") / REFERENCE, folder / REFERENCE)
    seal(folder)
    assert load_layout(folder) is None
    (folder / LAYOUT).unlink()
    seal(folder)
    assert load_layout(folder) is None


def test_a_damaged_map_is_told(tmp_path: Path) -> None:
    folder = copied("shapes-resnet20w4", tmp_path)
    (folder / LAYOUT).write_bytes(b"\x00" * 80)
    with pytest.raises(CheckpointError, match="changed or damaged"):
        load_layout(folder)


def test_a_checkpoint_without_a_reference_says_how_to_get_one(tmp_path: Path) -> None:
    folder = copied("shapes-resnet20w4", tmp_path)
    (folder / REFERENCE).unlink()
    seal(folder)
    assert reference_digest(folder) == ""
    with pytest.raises(CheckpointError, match="ood fit shapes-resnet20w4"):
        spaces_of(folder)


def test_the_distance_is_the_trained_one() -> None:
    assert distance_of(None) == "cosine"
    assert distance_of(read_card(folder_of("shapes-resnet20w4"))) == "cosine"
    card = read_card(folder_of("shapes-resnet20w4-semantic"))
    card.recipe["loss"]["distance"] = "euclidean"
    assert distance_of(card) == "euclidean"
