"""Two sessions on one server: neither sees the other's photos, nor can it stop, discard or keep the other's run."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.testing.v1 import AppTest, app_test
from streamlit.testing.v1.local_script_runner import LocalScriptRunner

import app
from app.services import jobs, tuning
from oodcore.jobs.folder import Status
from oodcore.jobs.job import RefusedError
from oodcore.jobs.queue import Job, Limits, Queue

VIEWS = Path(app.__file__).with_name("views")
MINE, OTHER = "mine", "other"


class Server:
    """One store of uploads, as a server has; it gives a file only to the session that brought it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = store = MemoryUploadedFileManager("/upload")
        self.asking = ""
        server = self

        class Runner(LocalScriptRunner):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self._session_id, self._uploaded_file_mgr = server.asking, store

        monkeypatch.setattr(app_test, "LocalScriptRunner", Runner)

    @contextmanager
    def by(self, session: str) -> Iterator[None]:
        """Whoever runs a page inside is this session."""
        self.asking = session
        yield
        self.asking = ""

    def held(self, session: str) -> list[str]:
        """Names of the files that the store keeps for a session."""
        return sorted(file.name for file in self.store.file_storage.get(session, {}).values())


def picture(level: int) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (50, 40), (level, 20, 90)).save(data, "PNG")
    return data.getvalue()


def on_the_board(page: AppTest) -> list[str]:
    frame = page.dataframe[0].value
    return sorted(frame["Picture"][frame["From"] == "yours"])


def test_forgetting_ones_photos_takes_no_ones_else_though_they_are_the_same(
    served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(monkeypatch)
    pages = {}
    for who, own in ((MINE, 1), (OTHER, 2)):
        page = pages[who] = AppTest.from_file(str(VIEWS / "score.py"), default_timeout=60)
        page.query_params["checkpoint"] = "tiny"
        files = [("same.png", picture(9), "image/png"), (f"{who}.png", picture(own), "image/png")]
        with server.by(who):
            page.run().file_uploader(key="uploads").set_value(files).run()
        assert not page.exception
    assert [on_the_board(pages[who]) for who in (MINE, OTHER)] == [["mine.png", "same.png"], ["other.png", "same.png"]]
    assert [server.held(who) for who in (MINE, OTHER)] == [["mine.png", "same.png"], ["other.png", "same.png"]]
    with server.by(MINE):
        pages[MINE].button(key="forget-uploads").click().run()
    with server.by(OTHER):
        pages[OTHER].run()
    assert not pages[OTHER].exception
    assert (on_the_board(pages[MINE]), on_the_board(pages[OTHER])) == ([], ["other.png", "same.png"])
    assert (server.held(MINE), server.held(OTHER)) == ([], ["other.png", "same.png"])


class Paper:
    """A backend that starts nothing."""

    def start(self, folder: Path) -> Mapping[str, Any]:
        return {"name": folder.name}

    def alive(self, handle: Mapping[str, Any]) -> bool:
        return True

    def stop(self, handle: Mapping[str, Any]) -> None:
        return


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    made = Queue(tmp_path / "jobs", Paper(), Limits(running=1, owner=2))
    monkeypatch.setattr(jobs, "queue", lambda: made)
    return made


def started(page: AppTest, queue: Queue) -> Job:
    next(button for button in page.run().button if button.label.startswith("Start")).click().run()
    assert not page.exception
    (job,) = queue.jobs()
    job.run.tell(Status("running", 3, 60))
    return job


def tune(run: str = "") -> AppTest:
    page = AppTest.from_file(str(VIEWS / "finetune.py"), default_timeout=60)
    page.query_params["checkpoint"] = "tiny"
    if run:
        page.query_params["run"] = run
    return page


def test_a_forged_click_stops_nobody_elses_run(served: Path, queue: Queue) -> None:
    mine = tune()
    job = started(mine, queue)
    other = tune(job.id).run()
    button = other.button(key=f"cancel-{job.id}")
    assert button.disabled
    button.proto.disabled = False  # as a browser that does not care
    button.click().run()
    assert not job.run.cancelling
    mine.run().button(key=f"cancel-{job.id}").click().run()
    assert job.run.cancelling


def take_along(run: str) -> None:
    """What stands below a finished run."""
    from app.services import jobs
    from app.widgets.tuned import kept

    kept(jobs.queue().job(run))


def test_a_forged_click_discards_nobody_elses_run_and_keeps_nothing_of_it(
    served: Path, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tune()
    job = started(mine, queue)
    job.run.tell(Status("finished", 60, 60))
    other = AppTest.from_function(take_along, kwargs={"run": job.id}, default_timeout=60).run()
    assert not [button for button in other.button if button.label == "Keep"]
    other.button(key=f"discard-{job.id}").click().run()
    assert [each.id for each in queue.jobs()] == [job.id]
    monkeypatch.setattr(jobs, "owner", lambda: other.session_state[jobs.OWNER])
    with pytest.raises(RefusedError):
        tuning.keep(job, "not mine")
