"""The job that lays out a map: its order, its events, its result."""

from pathlib import Path

import pytest
import torch

from oodcore.checkpoint import folder_of
from oodcore.errors import CheckpointError, DataError
from oodcore.evaluate import atlas
from oodcore.evaluate.atlas import reference_digest
from oodcore.jobs.folder import RunFolder
from oodcore.jobs.kinds.layout import order_for, result_of, work
from oodcore.maps import Cloud, Settings, principal

NAME = "shapes-resnet20w4-semantic"


def order(**changes: object) -> dict[str, object]:
    folder = folder_of(NAME)
    return order_for(folder, reference_digest(folder), 3, 15, 0.1) | changes


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """UMAP replaced, for it compiles for half a minute; what it was asked for."""
    asked: list[Settings] = []

    def lay_out(cloud: Cloud, settings: Settings) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append(settings)
        return principal(cloud)

    monkeypatch.setattr(atlas, "lay_out", lay_out)
    return asked


def test_every_space_is_laid_out_with_the_seed_that_was_asked_for(quick: list[Settings], tmp_path: Path) -> None:
    place = RunFolder(tmp_path / "job")
    events = list(work(order(seed=5, neighbours=8, min_dist=0.3), place, root=None))
    assert [event.kind for event in events] == ["progress", "progress", "finished"]
    assert [event.step for event in events] == [0, 1, 2]
    assert "features" in events[0].values["message"]
    assert quick == [Settings(5, 8, 0.3)] * 2
    found = result_of(place.path / "result")
    assert set(found.xy) == {"features", "embeddings"}
    assert found.settings == Settings(5, 8, 0.3)
    assert found.reference == reference_digest(NAME)
    assert sum(map(len, found.rows.values())) == len(found.xy["features"])


def test_stopped_between_spaces_it_leaves_no_result(quick: list[Settings], tmp_path: Path) -> None:
    place = RunFolder(tmp_path / "job")
    going = work(order(), place, root=None)
    next(going)
    next(going)
    going.close()  # type: ignore[attr-defined]
    assert not (place.path / "result").exists()


def test_a_changed_checkpoint_is_not_laid_out_under_the_old_name(quick: list[Settings], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="was changed"):
        list(work(order(reference="another"), RunFolder(tmp_path), root=None))
    assert quick == []


def test_an_incomplete_order_is_told(tmp_path: Path) -> None:
    whole = order()
    del whole["seed"]
    with pytest.raises(DataError, match="which seed"):
        list(work(whole, RunFolder(tmp_path), root=None))


def test_numbers_out_of_range_are_refused_when_ordered() -> None:
    with pytest.raises(DataError, match="seed"):
        order_for(Path("x"), "", -1, 15, 0.1)


def test_a_lost_result_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        result_of(tmp_path)
