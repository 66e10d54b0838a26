"""Counting outliers as a job: what it tells, what it leaves, and when it refuses."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from oodcore.checkpoint import Card, save
from oodcore.data.procedural import procedural
from oodcore.errors import CheckpointError, DataError
from oodcore.jobs.folder import RunFolder
from oodcore.jobs.kinds.prior import BATCH, order_for, result_of, work
from oodcore.models import Network, build
from oodcore.models.collect import collect
from oodcore.models.fingerprint import weights_hash
from oodcore.priors import outlier_counts


@pytest.fixture(scope="module")
def model() -> Network:
    torch.manual_seed(2)
    return build("resnet-8-w4", procedural("shapes", count=1).classes).eval()


@pytest.fixture
def order(model: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Any]:
    monkeypatch.setattr("oodcore.data.open_set", lambda *_: procedural("shapes-aux", "test", count=150))
    save(tmp_path / "tiny", model, Card.of(model))
    return order_for(tmp_path / "tiny", weights_hash(model), "shapes-aux", "test")


def test_it_counts_every_image_and_says_how_far_it_is(order: Mapping[str, Any], model: Network, tmp_path: Path) -> None:
    place = RunFolder(tmp_path / "job")
    events = list(work(order, place, root=None))
    assert [event.step for event in events] == [0, BATCH, 2 * BATCH, 150, 150]
    assert events[0].values["steps"] == 150
    assert {event.kind for event in events[1:-1]} == {"progress"}
    counts = outlier_counts(collect(model, procedural("shapes-aux", "test", count=150)))
    assert events[-1].values["counts"] == counts.tolist()
    census = result_of(place.path / "result", "shapes-aux")
    assert torch.equal(census.counts, counts)
    assert census.split == "test"


def test_counts_so_far_are_written_down_every_second_and_more_seldom_in_a_long_run(
    order: Mapping[str, Any], model: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 0.6, 1.2, 300.0])
    monkeypatch.setattr("oodcore.jobs.kinds.prior.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("oodcore.jobs.kinds.prior.BATCH", 50)
    events = list(work(order, RunFolder(tmp_path / "job"), root=None))
    assert [event.kind for event in events] == ["prepared", "progress", "counted", "counted", "finished"]
    images = procedural("shapes-aux", "test", count=150)
    assert events[2].values["counts"] == outlier_counts(collect(model, images.take(slice(0, 100)))).tolist()
    assert events[2].values["message"] == "about 1 s left"
    clock = iter([0.0, 300.0, 302.0, 303.5])
    events = list(work(order, RunFolder(tmp_path / "other"), root=None))
    assert [event.kind for event in events] == ["prepared", "counted", "progress", "counted", "finished"]


def test_nothing_is_left_where_it_was_stopped(order: Mapping[str, Any], tmp_path: Path) -> None:
    place = RunFolder(tmp_path / "job")
    events = work(order, place, root=None)
    next(events)
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert not (place.path / "result").exists()
    with pytest.raises(CheckpointError, match="Count the outliers again"):
        result_of(place.path / "result", "shapes-aux")


def test_other_weights_are_refused(order: Mapping[str, Any], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="was changed after this was ordered"):
        list(work({**order, "weights": "others"}, RunFolder(tmp_path / "job"), root=None))


def test_a_set_that_is_not_here_says_how_to_get_it(
    order: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with pytest.raises(DataError, match="random-300k' is not here"):
        list(work({**order, "outliers": "random-300k", "split": "train"}, RunFolder(tmp_path / "job"), root=tmp_path))


def test_an_incomplete_order_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="which checkpoint, split, weights"):
        list(work({"outliers": "shapes-aux"}, RunFolder(tmp_path / "job"), root=None))


def test_a_result_of_another_set_is_told(order: Mapping[str, Any], tmp_path: Path) -> None:
    place = RunFolder(tmp_path / "job")
    list(work(order, place, root=None))
    with pytest.raises(CheckpointError, match="no census of 'tin-aux50'"):
        result_of(place.path / "result", "tin-aux50")
