"""One job in this process: what is told, what is refused, and what ends it."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from oodcore.jobs import kinds, worker
from oodcore.jobs.folder import Status
from oodcore.jobs.job import Caps, Job, Standing, hash_of

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "__path__", [*kinds.__path__, str(HERE / "at_hand")])


def ordered(folder: Path, caps: Caps | None = None, **order: Any) -> Job:
    folder = folder / "counting-0123456789"
    folder.mkdir()
    order = {"to": 3, **order}
    job = Job(
        folder.name, "counting", "", order, hash_of("me"), 0.0, caps or Caps(), folder, lambda job: Standing("running")
    )
    job.write()
    job.run.tell(Status("running"))
    return job


def test_it_tells_events_and_ends_finished(tmp_path: Path) -> None:
    job = ordered(tmp_path)
    assert worker.carry_out(job.folder) == 0
    assert job.run.status == Status("finished", 3, 3)
    assert [event["step"] for event in job.events()] == [1, 2, 3]
    assert (job.result / "sum.txt").is_file()


def test_it_stops_between_events_and_goes_on(tmp_path: Path) -> None:
    job = ordered(tmp_path)
    job.run.cancel()
    assert worker.carry_out(job.folder) == 0
    status = job.run.status
    assert status is not None
    assert (status.state, status.step) == ("cancelled", 1)
    job.run.go_on()
    assert worker.carry_out(job.folder) == 0
    assert job.run.finished
    assert [event["step"] for event in job.events()] == [1, 2, 3]


def test_it_stops_inside_a_long_pass(tmp_path: Path) -> None:
    job = ordered(tmp_path, looking=60)
    job.run.cancel()
    began = time.monotonic()
    assert worker.carry_out(job.folder) == 0
    assert time.monotonic() - began < 30
    status = job.run.status
    assert status is not None
    assert (status.state, status.step) == ("cancelled", 0)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"fails at": 2}, "Seven is not a number for this."),
        ({"breaks at": 2}, "Something unexpected happened (IndexError: out of range). Its log.txt says more."),
    ],
)
def test_what_fails_is_a_sentence(tmp_path: Path, order: dict[str, int], said: str) -> None:
    job = ordered(tmp_path, **order)
    assert worker.carry_out(job.folder) == 1
    status = job.run.status
    assert status is not None
    assert (status.state, status.step, status.message) == ("failed", 1, said)


def test_steps_and_time_are_limited(tmp_path: Path) -> None:
    (tmp_path / "steps").mkdir()
    job = ordered(tmp_path / "steps", Caps(steps=5), to=9)
    worker.carry_out(job.folder)
    assert job.run.status == Status("cancelled", 6, 9, "Stopped after 5 steps, the limit here.")
    (tmp_path / "time").mkdir()
    job = ordered(tmp_path / "time", Caps(seconds=0.3), to=100, each=0.05)
    worker.carry_out(job.folder)
    status = job.run.status
    assert status is not None
    assert 1 < status.step < 100
    assert "Stopped after 0.005 minutes, the limit here. It can go on from here." in status.message


def test_memory_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(BaseException):
        pass

    ended: list[int] = []
    monkeypatch.setattr(worker, "LOOK", 0.01)
    monkeypatch.setattr(worker.os, "_exit", ended.append)
    job = ordered(tmp_path, Caps(memory=1), to=5, each=0.1)
    worker.carry_out(job.folder)
    assert ended
    assert ended[0] == 1


def test_what_is_said_of_too_much_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = ordered(tmp_path, Caps(memory=2**30))
    monkeypatch.setattr(worker, "resident", lambda: 3 * 2**30)
    monkeypatch.setattr(worker, "LOOK", 0.01)

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(worker.os, "_exit", leave)
    with pytest.raises(SystemExit):
        worker.Watch(job.run, job.caps)._look()
    status = job.run.status
    assert status is not None
    assert status.state == "failed"
    assert status.message.startswith("It took 3.0 GiB of memory; 1.0 are allowed here.")


def test_two_processes_never_work_on_one_job(tmp_path: Path) -> None:
    job = ordered(tmp_path)
    with job.run.held():
        assert worker.carry_out(job.folder) == 3
    assert job.run.status == Status("running")


def test_a_damaged_order_is_a_sentence(tmp_path: Path) -> None:
    job = ordered(tmp_path)
    (job.folder / "job.json").write_text(json.dumps({"kind": 3}))
    assert worker.carry_out(job.folder) == 1
    status = job.run.status
    assert status is not None
    assert "is damaged, so it cannot go on" in status.message


def test_a_spare_process_steps_back_before_it_imports_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(worker.sys, "argv", ["worker", "--wait"])
    monkeypatch.setattr(worker.os, "nice", lambda by: said.append(f"nice {by}"))
    monkeypatch.setattr(worker, "_waited", lambda: said.append("imports") or "")
    assert worker.main() == 0
    assert said == ["nice 10", "imports"]
