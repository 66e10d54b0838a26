"""Fine-tunings as the page reads them."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from app.services import jobs, resources, tuning
from app.widgets.jobs import seconds_left
from oodcore.checkpoint.own import remove
from oodcore.errors import CheckpointError, DataError, OODError
from oodcore.jobs.folder import RunFolder, Status
from oodcore.jobs.job import Caps, Job, Standing, hash_of
from oodcore.jobs.settings import adapted

MINE = "m" * 43


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setattr(jobs, "owner", lambda: MINE)
    folder = tmp_path / "jobs" / "finetune-0123456789"
    folder.mkdir(parents=True)
    made = Job(
        folder.name, "finetune", "Energy", {}, hash_of(MINE), 0.0, Caps(), folder, lambda job: Standing("finished")
    )
    made.run.tell(Status("finished", 2, 2))
    return made


def step(job: Job, number: int) -> None:
    terms, activity = {"cross_entropy": 1.0 / number, "energy_in": 0.5}, {"energy_in": 0.25}
    speed = {"images_per_second": 100.0 * number, "seconds_left": 9.0 - number}
    job.run.append({"kind": "step", "step": number, "terms": terms, "activity": activity, "lr": 0.1, **speed})


def test_a_story_is_told_from_events(job: Job) -> None:
    job.run.append({"kind": "prepared", "step": 0, "loss": {"name": "energy", "margin_in": -9.0, "margin_out": -3.0}})
    step(job, 1)
    step(job, 2)
    job.run.append({"kind": "validation", "step": 2, "auroc": 0.75, "steps": 2})
    told = tuning.story(job)
    assert told.terms["cross_entropy"] == ([1, 2], [1.0, 0.5])
    assert told.activity == {"energy_in": ([1, 2], [0.25, 0.25])}
    assert told.validation == {"auroc": ([2], [0.75])}
    assert (told.speed, told.left, told.margins) == (200.0, 7.0, (-9.0, -3.0))
    table = tuning.long_table(told)
    assert list(table) == ["group", "name", "step", "value"]
    rows = list(zip(*table.values(), strict=True))
    assert ("terms", "cross_entropy", 2, 0.5) in rows
    assert ("lr", "lr", 1, 0.1) in rows
    assert len(rows) == 9


@pytest.mark.parametrize("n", [0, 1, 2, 399, 400, 401, 1999])
def test_long_curves_are_thinned_and_end_where_they_end(n: int) -> None:
    whole = tuning.Curve(list(range(n)), [2.0 * step for step in range(n)])
    drawn = whole.thinned
    assert len(drawn.steps) <= 400
    assert drawn.steps[-1:] == whole.steps[-1:]
    assert all(value == 2 * step for step, value in zip(*drawn, strict=True))
    assert n > 400 or drawn == whole


def test_before_the_first_event_there_is_nothing(job: Job) -> None:
    told = tuning.story(job)
    assert (told.terms, told.rate.steps, told.speed, told.margins) == ({}, [], None, None)


def test_images_and_outliers_for_a_checkpoint(served: Path) -> None:
    shown = resources.exhibit(served / "tiny")
    (inside,) = tuning.insides_for(shown)
    assert inside.name == "shapes"
    assert list(tuning.outliers_for(inside)) == ["shapes-aux", "shapes-aux-10", "shapes-aux-50", "shapes-aux-100"]
    about = tuning.basis(shown, inside, "shapes-aux-10")
    assert (about.checkpoint, about.tests, about.long_tail) == ("tiny", ("shapes-near", "shapes-far"), None)
    assert adapted(about, "energy").experiment.data.outliers == "shapes-aux-10"


def test_without_its_images_it_is_a_sentence(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "fitting_sets", lambda classes, absent: [])
    with pytest.raises(DataError, match="not on this server, so it cannot be trained here"):
        tuning.insides_for(resources.exhibit(served / "tiny"))


def test_sets_of_the_catalogue_that_are_not_here_say_how_to_get_them(
    served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OOD_DATA", str(tmp_path))
    shown = resources.exhibit(resources.folders()["cifar10-resnet20"])
    (inside,) = tuning.insides_for(shown)
    assert inside.name == "cifar10-jpeg"  # what it was trained on; `cifar10` is coded otherwise
    assert list(tuning.outliers_for(inside)) == ["tin-ok60", "tin-aux50"]
    with pytest.raises(DataError, match=r"not on this server, so nothing can be trained with it here\. It is cifar10"):
        tuning.basis(shown, inside, "tin-aux50")


def whole(job: Job, served: Path) -> None:
    folder = job.result / tuning.CHECKPOINT
    folder.mkdir(parents=True)
    for file in (served / "tiny").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())


def test_the_download_holds_no_code(job: Job, served: Path, tmp_path: Path) -> None:
    whole(job, served)
    with zipfile.ZipFile(io.BytesIO(tuning.archive(job))) as packed:
        names = packed.namelist()
        packed.extractall(tmp_path / "out")
    assert {Path(name).suffix for name in names} == {".json", ".safetensors"}
    assert all(name.startswith(f"{job.id}/") for name in names)
    with safe_open(tmp_path / "out" / job.id / "model.safetensors", "pt") as file:
        assert list(file.keys())


def test_what_is_kept_is_offered_on_every_page_under_a_safe_name(job: Job, served: Path) -> None:
    whole(job, served)
    assert tuning.keep(job, " ../My Run 7! ") == "my-run-7"
    assert "my-run-7" in resources.folders()
    assert resources.exhibit(resources.folders()["my-run-7"]).scorers
    with pytest.raises(CheckpointError, match="There is a checkpoint 'my-run-7' here already"):
        tuning.keep(job, "My run 7")
    with pytest.raises(CheckpointError, match="already"):
        tuning.keep(job, "tiny")
    with pytest.raises(CheckpointError, match="letters or digits"):
        tuning.keep(job, "…/")


def test_nobody_keeps_what_another_one_made(job: Job, served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole(job, served)
    monkeypatch.setattr(jobs, "owner", lambda: "t" * 43)
    with pytest.raises(OODError, match="started by somebody else"):
        tuning.keep(job, "theirs")
    assert "theirs" not in resources.folders()


def test_a_damaged_order_trains_nothing(job: Job) -> None:
    assert tuning.experiment(job) is None


def test_a_kept_run_is_known_again_until_it_is_deleted(job: Job, served: Path) -> None:
    whole(job, served)
    assert tuning.kept_as(job) == ""
    name = tuning.keep(job, "Once")
    again = replace(job)
    assert tuning.kept_as(again) == name == "once"
    remove(resources.folders()[name], MINE)
    assert tuning.kept_as(again) == ""
    (job.folder / "kept.json").write_text("[")
    assert tuning.kept_as(job) == ""


def test_events_are_parsed_once_for_all_who_watch(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    parse = RunFolder.events

    def counted(folder: RunFolder) -> list[dict[str, Any]]:
        read.append(1)
        return parse(folder)

    monkeypatch.setattr(RunFolder, "events", counted)
    step(job, 1)
    first = tuning.story(job)
    assert tuning.story(job) is first
    assert len(jobs.events(job)) == 1
    assert len(read) == 1
    step(job, 2)
    assert tuning.story(job).rate.steps == [1, 2]
    assert seconds_left(jobs.events(job)) == 7.0
    assert len(read) == 2
