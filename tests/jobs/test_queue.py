"""Jobs in processes of their own: lined up, stopped, killed, taken up again, found by another server."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from oodcore.errors import DataError, UnknownNameError
from oodcore.jobs import kinds
from oodcore.jobs import queue as module
from oodcore.jobs.backend import LocalProcesses
from oodcore.jobs.folder import Status, UnwritableError
from oodcore.jobs.job import Caps, Job
from oodcore.jobs.queue import LimitError, Limits, Queue, RefusedError, jobs_folder

HERE = Path(__file__).parent
COMMAND = (sys.executable, str(HERE / "with_counting.py"))
MINE, THEIRS = "m" * 43, "t" * 43


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "__path__", [*kinds.__path__, str(HERE / "at_hand")])


class Here:
    """A backend that only remembers: jobs "run" until a test says that they have ended."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.gone: set[str] = set()

    def start(self, folder: Path) -> Mapping[str, Any]:
        self.started.append(folder.name)
        return {"pid": len(self.started), "name": folder.name}

    def alive(self, handle: Mapping[str, Any]) -> bool:
        return handle.get("name") in set(self.started) - self.gone

    def stop(self, handle: Mapping[str, Any]) -> None:
        self.gone.add(handle["name"])

    def end(self, job: Job, state: Any = "finished") -> None:
        job.run.tell(Status(state, 1, 1))
        self.gone.add(job.id)


@pytest.fixture
def here() -> Here:
    return Here()


@pytest.fixture
def paper(tmp_path: Path, here: Here) -> Queue:
    """A queue on which nothing computes."""
    return Queue(tmp_path / "jobs", here, Limits(running=1, waiting=3, owner=2, kept=3))


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Callable[..., Queue]]:
    """Starts a server on one folder, again and again; no process of theirs is left."""
    backends: list[LocalProcesses] = []

    def start(running: int = 2, spare: bool = False) -> Queue:
        backends.append(LocalProcesses(command=COMMAND, spare=spare))
        return Queue(tmp_path / "jobs", backends[-1], Limits(running=running))

    yield start
    for backend in backends:
        backend.close()
        for child in backend._children.values():
            child.kill()
            child.wait()


def submit(queue: Queue, owner: str = MINE, **order: Any) -> Job:
    return queue.submit("counting", {"to": 3, **order}, owner=owner, title="Counting")


def wait(queue: Queue, condition: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, [(job.id, job.standing) for job in queue.jobs()]
        queue.tick()
        time.sleep(0.05)


def test_one_after_the_other_in_order_with_places(paper: Queue, here: Here) -> None:
    first, second, third = submit(paper), submit(paper), submit(paper, THEIRS)
    assert [job.standing.state for job in (first, second, third)] == ["running", "queued", "queued"]
    assert [job.standing.ahead for job in (second, third)] == [0, 1]
    assert [job.id for job in paper.jobs()] == [third.id, second.id, first.id]
    here.end(first)
    paper.tick()
    assert second.standing.state == "running"
    assert third.standing.ahead == 0
    assert here.started == [first.id, second.id]


def test_two_at_once(tmp_path: Path, here: Here) -> None:
    queue = Queue(tmp_path, here, Limits(running=2))
    states = [submit(queue).standing.state for _ in range(3)]
    assert states == ["running", "running", "queued"]


def test_limits_of_one_owner_and_of_all(paper: Queue, here: Here) -> None:
    jobs = [submit(paper), submit(paper)]
    with pytest.raises(LimitError, match="You have 2 runs"):
        submit(paper)
    submit(paper, THEIRS), submit(paper, THEIRS)
    with pytest.raises(LimitError, match="4 runs run or wait on this server"):
        submit(paper, "another" * 6)
    here.end(jobs[0])
    submit(paper)


def test_too_many_steps_are_refused_before_they_wait(paper: Queue) -> None:
    with pytest.raises(LimitError, match="30,000 steps; this server allows 20,000"):
        submit(paper, to=30_000)
    assert paper.jobs() == []


def test_an_order_that_cannot_be(paper: Queue) -> None:
    with pytest.raises(UnknownNameError, match=r"No kind of job is called 'countin'\. Did you mean 'counting'"):
        paper.submit("countin", {}, owner=MINE, title="")
    with pytest.raises(DataError, match="cannot be written down"):
        submit(paper, each=float("nan"))


def test_only_its_owner_changes_a_job_and_the_token_is_nowhere_on_disk(paper: Queue, here: Here) -> None:
    job = submit(paper)
    for act in (paper.cancel, paper.resume, paper.discard):
        with pytest.raises(RefusedError, match=r"started by somebody else\. You can watch it"):
            act(job.id, owner=THEIRS)
    assert job.standing.state == "running"
    assert not job.run.cancelling
    assert all(MINE not in path.read_text() for path in job.folder.rglob("*") if path.is_file())
    here.end(job, "killed")
    paper.discard(job.id, owner=MINE)
    assert paper.jobs() == []
    assert not job.folder.exists()


def test_what_waits_is_taken_out_of_the_queue_at_once(paper: Queue) -> None:
    submit(paper)
    job = submit(paper)
    paper.cancel(job.id, owner=MINE)
    assert job.standing.state == "cancelled"


def test_what_runs_cannot_be_discarded(paper: Queue) -> None:
    job = submit(paper)
    with pytest.raises(LimitError, match="Cancel it first"):
        paper.discard(job.id, owner=MINE)
    assert job.folder.exists()


def test_a_killed_one_says_so_and_lines_up_again_behind_the_others(paper: Queue, here: Here) -> None:
    first, second = submit(paper), submit(paper)
    here.gone.add(first.id)
    assert first.standing.state == "killed"
    paper.tick()
    assert second.standing.state == "running"
    paper.resume(first.id, owner=MINE)
    assert first.standing.state == "queued"
    here.gone.clear()
    here.started.remove(first.id)
    here.end(second)
    paper.tick()
    assert first.standing.state == "running"
    paper.resume(first.id, owner=MINE)
    assert here.started.count(first.id) == 1


def test_what_does_not_stop_when_asked_is_ended(paper: Queue, here: Here) -> None:
    job = submit(paper)
    paper.cancel(job.id, owner=MINE)
    assert job.standing.stopping
    os.utime(job.folder / "cancel", (0, 0))
    paper.tick()
    assert job.id in here.gone
    assert job.standing.state == "cancelled"


def test_another_server_on_the_same_folder(paper: Queue, here: Here) -> None:
    first, second = submit(paper), submit(paper)
    other = Queue(paper.root, here, paper.limits)
    other.tick()
    assert here.started == [first.id]
    assert [job.standing for job in other.jobs()] == [second.standing, first.standing]
    here.end(first)
    other.tick(), paper.tick()
    assert here.started == [first.id, second.id]


def test_while_another_server_has_its_turn_nothing_is_started(paper: Queue, here: Here) -> None:
    job = submit(paper)
    waiting = submit(paper)
    here.end(job)
    with paper._turn():
        paper.tick()
    assert waiting.standing.state == "queued"


def test_the_same_question_is_answered_once(paper: Queue, here: Here) -> None:
    job = submit(paper, to=5)
    assert paper.finished("counting", {"to": 5}) is None
    here.end(job)
    found = paper.finished("counting", {"to": 5})
    assert found is not None
    assert found.id == job.id
    assert paper.finished("counting", {"to": 6}) is None


def test_damaged_files_are_told_in_a_sentence(paper: Queue) -> None:
    job, other = submit(paper), submit(paper)
    (job.folder / "job.json").write_text('{"kind": "counting"')
    with pytest.raises(DataError, match=f"The order of run '{job.id}' is damaged"):
        paper.job(job.id)
    (other.folder / "status.json").write_text("[]")
    assert other.standing.state == "failed"
    assert "is damaged" in other.standing.message
    assert [found.id for found in paper.jobs()] == [other.id]
    (other.folder / "status.json").unlink()
    assert other.standing.message == "Its status is gone. Start it anew."


@pytest.mark.parametrize("name", ["", "..", "counting-../../etc", "counting-0123456789/..", "Counting-0123456789"])
def test_names_stay_inside_the_folder(paper: Queue, name: str) -> None:
    with pytest.raises(DataError, match="not the name of a run"):
        paper.job(name)


def test_a_job_that_was_discarded(paper: Queue) -> None:
    with pytest.raises(DataError, match="There is no run 'counting-0123456789' here any more"):
        paper.job("counting-0123456789")


def test_the_oldest_ended_ones_are_forgotten(paper: Queue, here: Here) -> None:
    jobs = []
    for _ in range(5):
        jobs.append(submit(paper))
        here.end(jobs[-1])
        time.sleep(0.01)
    assert [job.id for job in paper.jobs()] == [job.id for job in reversed(jobs[1:])]


def test_a_folder_that_cannot_be_made(tmp_path: Path, here: Here) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnwritableError, match="cannot be written"):
        submit(Queue(tmp_path / "file" / "jobs", here))


def test_a_process_that_cannot_be_started(paper: Queue, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(folder: Path) -> Mapping[str, Any]:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(here, "start", fail)
    job = submit(paper)
    assert job.standing.state == "failed"
    assert job.standing.message == "It cannot be started: Cannot allocate memory."


def test_where_jobs_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OOD_CACHE", str(tmp_path))
    monkeypatch.delenv("OOD_JOBS", raising=False)
    assert jobs_folder() == tmp_path / "jobs"
    monkeypatch.setenv("OOD_JOBS", str(tmp_path / "elsewhere"))
    assert jobs_folder() == tmp_path / "elsewhere"


@pytest.mark.slow
def test_real_processes_finish_stop_are_killed_and_go_on(servers: Callable[..., Queue]) -> None:
    real = servers()
    done, stopped, killed = submit(real), submit(real, each=0.2, to=500), submit(real, each=0.2, to=60)
    wait(real, lambda: done.standing.state == "finished")
    assert (done.result / "sum.txt").read_text() == "3"
    assert [event["value"] for event in done.events()] == [1, 4, 9]
    assert (done.standing.step, done.standing.steps, done.standing.share) == (3, 3, 1.0)
    wait(real, lambda: stopped.standing.step > 2 and killed.standing.step > 2)
    real.cancel(stopped.id, owner=MINE)
    pid = json.loads((killed.folder / "process.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    wait(real, lambda: killed.standing.state == "killed")
    assert "killed" in killed.standing.message
    wait(real, lambda: stopped.standing.state == "cancelled")
    assert 2 < stopped.standing.step < 500

    restarted = servers()
    restarted.resume(killed.id, owner=MINE)
    again = restarted.job(killed.id)
    assert again.standing.active
    wait(restarted, lambda: again.standing.step > 6)
    assert real.job(killed.id).standing.state == "running"  # seen by the first server, too
    wait(restarted, lambda: again.standing.state == "finished")
    assert [event["value"] for event in again.events()] == [count**2 for count in range(1, 61)]


@pytest.mark.slow
def test_a_process_waits_with_everything_imported_and_takes_a_job(servers: Callable[..., Queue]) -> None:
    queue = servers(running=1, spare=True)
    backend = queue.backend
    assert isinstance(backend, LocalProcesses)
    backend.tend()
    spare = backend._spare
    assert spare is not None
    job = submit(queue)
    assert json.loads((job.folder / "process.json").read_text())["pid"] == spare.pid
    wait(queue, lambda: job.standing.state == "finished")
    backend.tend()
    assert backend._spare is not None
    assert backend._spare.pid != spare.pid
    backend.close()
    assert backend._spare is None


def test_a_number_that_now_belongs_to_another_process_is_not_it() -> None:
    backend = LocalProcesses()
    handle = {"pid": os.getpid(), "host": module.__name__, "born": "then"}
    assert not backend.alive(handle)
    me = {"pid": os.getpid(), "host": os.uname().nodename, "born": "another boot 123"}
    assert not backend.alive(me)


def test_caps_are_those_of_the_server(tmp_path: Path, here: Here) -> None:
    job = submit(Queue(tmp_path, here, Limits(caps=Caps(steps=50))), to=50)
    assert Queue(tmp_path, here).job(job.id).caps.steps == 50
