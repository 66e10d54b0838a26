import errno
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from oodcore.errors import DataError
from oodcore.jobs import BusyError, RunFolder, Status, UnwritableError
from tests.jobs.conftest import World


@pytest.fixture
def place(tmp_path: Path) -> RunFolder:
    (tmp_path / "run").mkdir()
    return RunFolder(tmp_path / "run")


def told(place: RunFolder, *events: tuple[str, int]) -> None:
    for number, (kind, step) in enumerate(events):
        place.append({"kind": kind, "step": step, "number": number})


def seen(place: RunFolder) -> list[tuple[str, int, int]]:
    return [(event["kind"], event["step"], event["number"]) for event in place.events()]


def test_events_are_read_while_they_are_written(place: RunFolder) -> None:
    assert place.events() == []
    told(place, ("step", 1))
    assert seen(place) == [("step", 1, 0)]
    told(place, ("step", 2))
    assert [event["step"] for event in place.events()] == [1, 2]


def test_a_line_that_was_cut_short_costs_itself_alone(place: RunFolder) -> None:
    told(place, ("step", 1), ("step", 2))
    path = place.path / "events.jsonl"
    path.write_bytes(path.read_bytes()[:-4])
    assert seen(place) == [("step", 1, 0)]
    told(place, ("step", 3))
    assert seen(place) == [("step", 1, 0), ("step", 3, 0)]


def test_a_single_byte_that_was_left_does_not_spoil_the_next_line(place: RunFolder) -> None:
    (place.path / "events.jsonl").write_bytes(b"{")
    told(place, ("step", 1))
    assert seen(place) == [("step", 1, 0)]


@pytest.mark.parametrize("line", ["5", "[]", '{"step": 2}', '{"kind": "step", "step": "x"}', "\x00\x00", "\ud800"])
def test_lines_that_are_no_events_are_left_out(place: RunFolder, line: str) -> None:
    (place.path / "events.jsonl").write_bytes(line.encode("utf-8", "surrogatepass") + b"\n")
    told(place, ("step", 1))
    assert seen(place) == [("step", 1, 0)]


def test_of_repeated_steps_the_last_counts(place: RunFolder) -> None:
    told(place, ("step", 1), ("validation", 1), ("step", 1))
    assert seen(place) == [("validation", 1, 1), ("step", 1, 2)]


def test_what_was_told_beyond_the_state_of_a_resumed_run_is_forgotten(place: RunFolder) -> None:
    told(place, ("step", 1), ("step", 3), ("step", 5), ("resumed", 3), ("step", 4))
    assert seen(place) == [("step", 1, 0), ("step", 3, 1), ("resumed", 3, 3), ("step", 4, 4)]


def test_a_killed_run_says_so_to_readers(place: RunFolder) -> None:
    assert place.standing is None
    assert not place.live
    with place.held():
        place.tell(Status("running", 3, 9))
        assert place.live
        assert place.standing == Status("running", 3, 9)
    assert not place.live
    assert place.standing is not None
    assert (place.standing.state, place.standing.step, place.standing.steps) == ("killed", 3, 9)
    assert "goes on from its last state" in place.standing.message
    assert place.status == Status("running", 3, 9)


def test_a_run_that_ends_while_one_looks_was_not_killed(place: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    place.tell(Status("running", 3, 9))

    def ends(self: RunFolder) -> bool:
        self.tell(Status("finished", 9, 9))
        return False

    monkeypatch.setattr(RunFolder, "live", property(ends))
    assert place.standing == Status("finished", 9, 9)


def test_the_folder_is_held_by_one_at_a_time(place: RunFolder) -> None:
    sentence = r"Another run is going on in '.*run'. Wait for it, cancel it"
    with place.held(), pytest.raises(BusyError, match=sentence), place.held():
        pass
    with place.held():
        pass


def test_who_only_looks_stops_nobody(place: RunFolder) -> None:
    with FileLock(place.path / ".lock"):
        assert place.live
    assert not place.live
    with place.held():
        pass


def test_an_error_of_the_work_is_not_taken_for_a_busy_folder(place: RunFolder) -> None:
    with pytest.raises(TimeoutError, match="mine"), place.held():
        raise TimeoutError("mine")


def test_another_experiment_is_refused_and_says_what_differs(place: RunFolder, world: World) -> None:
    place.claim(world.experiment())
    place.claim(world.experiment())
    assert place.experiment == world.experiment()
    with pytest.raises(DataError, match=r"another run \('A small run', train.lr 0.05 instead of 0.1\). Choose another"):
        place.claim(world.experiment(train={"lr": 0.1}))


def test_what_was_refused_before_its_first_step_makes_room_and_what_has_a_state_does_not(
    place: RunFolder, world: World
) -> None:
    place.claim(world.experiment())
    place.tell(Status("failed", message="No set is called 'shape'."))
    place.append({"kind": "cancelled", "step": 0})
    other = world.experiment(train={"lr": 0.1})
    place.claim(other)
    assert (place.experiment, place.status, place.events()) == (other, None, [])
    place.tell(Status("failed", 3, 9))
    place.keep({"step": 3})
    with pytest.raises(DataError, match="holds another run"):
        place.claim(world.experiment())


def test_a_run_goes_on_when_only_the_words_about_it_changed(place: RunFolder, world: World) -> None:
    place.claim(world.experiment())
    place.claim(replace(world.experiment(), title="Another title", notes=("Said so.",)))


def test_settings_that_came_later_do_not_make_a_run_another_one(place: RunFolder, world: World) -> None:
    place.claim(world.experiment())
    path = place.path / "experiment.json"
    older = json.loads(path.read_text())
    del older["train"]["ema"]
    path.write_text(json.dumps(older))
    place.claim(world.experiment())
    with pytest.raises(DataError, match=r"train.ema None instead of 0.5"):
        place.claim(world.experiment(train={"ema": 0.5}))


def test_a_claim_sweeps_up_what_a_kill_left_half_written(place: RunFolder, world: World) -> None:
    half = [place.path / ".state.pt.123", place.path / ".status.json.9"]
    for path in half:
        path.touch()
    (place.path / ".checkpoint.x" / "inside").mkdir(parents=True)
    place.keep({"a": 1})
    place.claim(world.experiment())
    assert not any(path.exists() for path in (*half, place.path / ".checkpoint.x"))
    assert place.kept() == {"a": 1}


def test_the_state_comes_back_and_holds_no_code(place: RunFolder) -> None:
    assert place.kept() is None
    place.keep({"weight": torch.arange(3.0), "done": 2})
    state = place.kept()
    assert state is not None
    assert torch.equal(state["weight"], torch.arange(3.0))
    torch.save({"f": Path()}, place.path / "state.pt")
    with pytest.raises(DataError, match=r"state.pt' is damaged \(UnpicklingError\)"):
        place.kept()


@pytest.mark.parametrize("content", [b"", b"PK", b"no state"])
def test_a_damaged_state_is_told(place: RunFolder, content: bytes) -> None:
    (place.path / "state.pt").write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        place.kept()


def full(*about: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_on_a_full_disk_the_last_state_stands(place: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    place.keep({"done": 1})
    place.tell(Status("running", 1, 9))
    before = sorted(path.name for path in place.path.iterdir())
    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UnwritableError, match=r"state.pt' cannot be written: No space left on device. Mend that and"):
        place.keep({"done": 2})
    with pytest.raises(UnwritableError, match=r"status.json' cannot be written"):
        place.tell(Status("running", 2, 9))
    assert place.kept() == {"done": 1}
    assert place.status == Status("running", 1, 9)
    assert sorted(path.name for path in place.path.iterdir()) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_events_on_a_full_disk_are_told(place: RunFolder) -> None:
    (place.path / "events.jsonl").symlink_to("/dev/full")
    with pytest.raises(UnwritableError, match=r"events.jsonl' cannot be written: No space left on device"):
        place.append({"kind": "step", "step": 1})


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place = RunFolder(tmp_path / "file" / "run")
    with pytest.raises(UnwritableError, match=r"file/run' cannot be written: Not a directory"), place.held():
        pass


def test_a_wish_to_stop_is_seen_until_the_next_start(place: RunFolder) -> None:
    assert not place.cancelling
    place.cancel()
    assert place.cancelling
    place.go_on()
    assert not place.cancelling


def test_there_is_nothing_to_cancel_where_no_run_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no run in '.*nowhere'"):
        RunFolder(tmp_path / "nowhere").cancel()


@pytest.mark.parametrize("content", ["{", "[]", "3", '{"state": "running", "colour": 3}'])
def test_a_damaged_status_is_told(place: RunFolder, content: str) -> None:
    (place.path / "status.json").write_text(content)
    with pytest.raises(DataError, match=r"damaged|no status"):
        _ = place.status


def test_the_status_is_plain_json(place: RunFolder) -> None:
    place.tell(Status("failed", 3, 9, "Größer"))
    assert json.loads((place.path / "status.json").read_text("utf-8")) == asdict(Status("failed", 3, 9, "Größer"))
