from pathlib import Path
from typing import Any

import pytest

from app.services import benchmark, jobs
from oodcore.jobs import boards
from oodcore.jobs.folder import Status
from oodcore.jobs.kinds.evaluate import kept_scores, order_of, work
from oodcore.jobs.queue import Queue
from oodcore.metrics import auroc
from oodcore.report.board import Board, Result

NAME = "shapes-resnet20w4"


class Idle:
    """A backend that never starts anything."""

    def start(self, folder: Path) -> dict[str, Any]:
        return {}

    def alive(self, handle: Any) -> bool:
        return False

    def stop(self, handle: Any) -> None:
        raise AssertionError


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No stores, jobs in a folder of this test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(boards, "store_folders", list)
    monkeypatch.setenv("OOD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(jobs, "owner", lambda: "me")
    queue = Queue(tmp_path / "jobs", Idle())
    monkeypatch.setattr(jobs, "queue", lambda: queue)
    return tmp_path


def finished(owner: str = "me", limit: int = 20) -> str:
    """An evaluation that was carried out."""
    order = order_of({NAME: benchmark.cards()[NAME]}, "shapes", ["shapes-near"], ["energy", "msp"], limit)
    job = jobs.queue().submit("evaluate", order, owner=owner, title="Mine")
    list(work(order, job.run, root=None))
    job.run.tell(Status("finished", 2, 2))
    return job.id


def behind(board: Board, result: Result, scorer: str) -> benchmark.Behind | None:
    found = benchmark.seeds(board, [result])
    return benchmark.behind(board, found[0], scorer) if found else None


def test_the_shelf_holds_cards_and_ones_own_evaluations(alone: Path) -> None:
    assert list(benchmark.shelf().boards)[:1] == ["cards-shapes"]
    mine, theirs = finished(), finished("somebody else")
    shelf = benchmark.shelf()
    assert mine in shelf.boards
    assert theirs not in shelf.boards
    assert theirs in benchmark.shelf(theirs).boards  # who has the link may look
    assert shelf.boards[mine].n_id == 20


def test_scores_of_an_evaluation_go_before_the_reference(alone: Path) -> None:
    board = benchmark.shelf().boards["cards-shapes"]
    (result,) = board.results_of(NAME, "msp", "shapes-near")
    before = behind(board, result, "msp")
    assert before is not None
    assert (len(before.known), before.whole) == (1000, False)
    assert "reference" in before.words
    finished(limit=30)
    after = behind(board, result, "msp")
    assert after is not None
    assert (len(after.known), after.whole) == (30, False)
    assert "'Mine'" in after.words


def test_energies_are_kept_of_every_image_and_point_the_right_way(alone: Path) -> None:
    board = benchmark.shelf().boards["cards-shapes"]
    (result,) = board.results_of(NAME, "energy", "shapes-far")
    found = behind(board, result, "energy")
    assert found is not None
    assert found.whole
    assert auroc(found.known, found.outliers) == pytest.approx(result.values["auroc"], abs=1e-4)


def test_unknown_weights_and_scores_have_nothing_behind_them(alone: Path) -> None:
    board = benchmark.shelf().boards["cards-shapes"]
    (result,) = board.results_of(NAME, "msp", "shapes-near")
    assert behind(board, result._replace(weights="other"), "msp") is None
    assert behind(board, result._replace(weights=""), "msp") is None
    assert behind(board, result, "odin") is None  # it needs the images
    assert behind(board, result._replace(test="elsewhere"), "msp") is None


def test_only_the_seed_that_is_drawn_is_read_and_once(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs_ = [finished(limit=limit) for limit in (21, 22, 23)]
    board = benchmark.shelf(jobs_[0]).boards[jobs_[0]]
    results = board.results_of(NAME, "msp", "shapes-near")
    read: list[Path] = []

    def reading(folder: Path, *cell: str) -> object:
        read.append(folder)
        return kept_scores(folder, *cell)

    monkeypatch.setattr(benchmark, "kept_scores", reading)
    (seed,) = benchmark.seeds(board, results)
    assert seed.jobs[0].id == jobs_[0]
    assert not read
    found = [benchmark.behind(board, seed, "msp") for _ in range(3)]
    assert read == [jobs.queue().job(jobs_[0]).result]
    assert found[0] is not None
    assert len(found[0].known) == 21
    drawn = [benchmark.curves(found[0], board.convention, "ood") for _ in range(2)]
    assert drawn[0] is drawn[1]
    assert drawn[0].metrics["auroc"] == pytest.approx(auroc(found[0].known, found[0].outliers))
    assert benchmark.curves(found[0], board.convention, "id").roc.x.tolist() != drawn[0].roc.x.tolist()


def test_a_damaged_evaluation_is_a_note(alone: Path) -> None:
    name = finished()
    (jobs.queue().job(name).result / "report.json").write_text("{}")
    shelf = benchmark.shelf()
    assert name not in shelf.boards
    assert any("not a report" in note or "damaged" in note for note in shelf.notes)
