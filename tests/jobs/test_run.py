"""A run ends where it would have ended, whatever happens to it on the way."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import IO, Any

import pytest
import torch
from torch import Tensor

from oodcore.checkpoint import load, read_card
from oodcore.config import Experiment
from oodcore.data.procedural import procedural
from oodcore.errors import DataError, OODError
from oodcore.evaluate import Work
from oodcore.functional import free_energy
from oodcore.jobs import BusyError, Event, RunFolder, Status, UnwritableError, run, validate
from oodcore.jobs.interrupts import held_back
from oodcore.jobs.prepare import Ruler, prepare
from oodcore.metrics import accuracy, auroc, fpr_at_recall
from oodcore.models import build
from oodcore.train.loop import DivergedError, Step, Training
from tests.jobs.conftest import World

MODULE = import_module("oodcore.jobs.run")  # the function of that name hides it
AT_WORK = Path(__file__).parent / "at_work.py"
EVERYTHING = {"inside": 0.0, "outside": 100.0}


def weights(folder: Path) -> dict[str, Tensor]:
    return load(folder / "checkpoint").state_dict()


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return list(left) == list(right) and all(torch.equal(left[name], right[name]) for name in left)


def kinds(events: list[Any]) -> list[tuple[str, int]]:
    return [
        (event.kind, event.step) if isinstance(event, Event) else (event["kind"], event["step"]) for event in events
    ]


def standing(folder: Path) -> Status:
    status = RunFolder(folder).standing
    assert status is not None
    return status


def measured_twice(*about: object) -> None:
    raise AssertionError("a resumed run measured again")


@pytest.fixture(scope="module")
def whole(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    told = list(run(world.experiment(), folder, saved_every=0))
    steps = [("step", 1), ("step", 2), ("validation", 2), ("step", 3), ("validation", 3)]
    assert kinds(told) == [("prepared", 0), *steps, ("finished", 3)]
    return folder


def test_a_run_leaves_its_result_and_what_happened(whole: Path) -> None:
    names = {path.name for path in whole.iterdir()} - {".lock"}
    assert names == {"checkpoint", "events.jsonl", "experiment.json", "prepared.json", "status.json"}
    assert standing(whole) == Status("finished", 3, 3)
    events = RunFolder(whole).events()
    step = next(event for event in events if event["kind"] == "step")
    assert set(step["terms"]) == {"cross_entropy", "energy_in", "energy_out"}
    assert set(step["activity"]) == {"energy_in", "energy_out"}
    assert step["images_per_second"] > 0
    assert step["seconds_left"] >= 0  # in tenths; three steps may take less
    last = events[-2]
    assert last["kind"] == "validation"
    assert set(last) >= {"accuracy", "auroc", "fpr95_id_positive", "fpr95_ood_positive"}


def test_the_card_says_how_the_network_came_about(whole: Path, world: World) -> None:
    card, events = read_card(whole / "checkpoint"), RunFolder(whole).events()
    assert card.recipe["loss"] == {"name": "energy", "weight": 0.1, "margin_in": -3.0, "margin_out": -2.0}
    assert card.recipe["train"] == world.experiment().to_json()["train"]
    budget = card.recipe["budget"]
    assert (budget["steps"], budget["device"], budget["processes"]) == (3, "cpu", 1)
    assert budget["threads"] == torch.get_num_threads()
    assert budget["seconds"] >= 0
    assert (card.title, card.seed, card.parent) == ("A small run", 0, None)
    assert set(card.data) == {"figures/train", "figures/calibration", "alike/train", "alike/held out"}
    validation = next(event for event in events if event["kind"] == "validation" and event["step"] == 3)
    found = {entry["name"]: entry for entry in card.metrics}
    assert {name: entry["value"] for name, entry in found.items()} == {
        name: value for name, value in validation.items() if name not in ("kind", "step")
    }
    assert (found["accuracy"]["set"], found["accuracy"]["n"]) == ("figures/calibration", 20)
    assert (found["auroc"]["n_id"], found["auroc"]["n_ood"]) == (20, 15)
    assert "not trained on" in found["auroc"]["ood_set"]
    assert found["auroc"]["convention"]["score"] == "higher is more OOD"


def test_a_finished_run_is_not_run_again(whole: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    monkeypatch.setattr(MODULE, "prepare", None)
    assert kinds(list(run(world.experiment(), whole))) == [("finished", 3)]
    assert {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()} == before


def test_the_folder_of_another_experiment_is_refused(whole: Path, world: World) -> None:
    with pytest.raises(DataError, match=r"holds another run \('A small run', train.seed 0 instead of 1\)"):
        next(run(world.experiment(train={"seed": 1}), whole))
    assert standing(whole).state == "finished"


class Killed(BaseException):
    """What no handler of ours catches: the process is gone."""


@contextmanager
def killed_before_write(number: int) -> Iterator[list[str]]:
    """Everything up to that write is on disk, and nothing after it: what `kill -9` leaves."""
    written: list[str] = []
    names = ("claim", "tell", "append", "keep", "note_prepared", "drop_state")

    def counted(name: str, write: Callable[..., None]) -> Callable[..., None]:
        def counting(self: RunFolder, *about: Any) -> None:
            if len(written) >= number:
                raise Killed
            written.append(name)
            write(self, *about)

        return counting

    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setattr(RunFolder, name, counted(name, getattr(RunFolder, name)))
        patch.setattr(MODULE, "_quietly", lambda *about: None)
        patch.setattr(MODULE, "WRITTEN_EVERY", 0.0)  # a write after every step, however long it takes
        yield written


@pytest.mark.parametrize("number", range(1, 20))
def test_killed_before_any_write_it_ends_the_same(number: int, whole: Path, world: World, tmp_path: Path) -> None:
    with killed_before_write(number), pytest.raises(Killed):
        list(run(world.experiment(), tmp_path, saved_every=0))
    had_state = (tmp_path / "state.pt").exists()
    with pytest.MonkeyPatch.context() as patch:
        if had_state:
            patch.setattr(Ruler, "prior", measured_twice)
            patch.setattr(Ruler, "margins", measured_twice)
        told = list(run(world.experiment(), tmp_path, saved_every=0))
    assert told[-1].kind == "finished"
    assert same(weights(tmp_path), weights(whole))
    events = RunFolder(tmp_path).events()
    assert [one for one in kinds(events) if one[0] == "validation"] == [("validation", 2), ("validation", 3)]
    assert [one for one in kinds(events) if one[0] == "finished"] == [("finished", 3)]
    validated = {event["step"]: event["auroc"] for event in events if event["kind"] == "validation"}
    assert validated == {e["step"]: e["auroc"] for e in RunFolder(whole).events() if e["kind"] == "validation"}
    assert read_card(tmp_path / "checkpoint").metrics == read_card(whole / "checkpoint").metrics
    assert not any(path.name.startswith((".state", ".checkpoint", ".status")) for path in tmp_path.iterdir())


def test_the_kills_above_reach_the_last_write(world: World, tmp_path: Path) -> None:
    with killed_before_write(10**6) as written:
        list(run(world.experiment(), tmp_path, saved_every=0))
    assert len(written) == 20
    assert written[-3:] == ["append", "tell", "drop_state"]


@pytest.mark.parametrize(
    ("loss", "train"),
    [
        ({"name": "semantic_energy", "width": 6, "warm_up": 2, "distance": "euclidean"}, {}),
        ({"name": "balanced_energy", "alpha": 2.0}, {"ema": 0.5, "accumulate": 2, "batch_norm": "separate"}),
        ({"name": "outlier_exposure"}, {"precision": "bf16-mixed"}),
    ],
)
def test_stopped_after_any_step_it_ends_the_same(
    loss: dict[str, Any], train: dict[str, Any], world: World, tmp_path: Path
) -> None:
    margins = None if loss["name"] == "outlier_exposure" else EVERYTHING
    experiment = world.experiment(loss=loss, train=train, margins=margins)
    list(run(experiment, tmp_path / "whole"))
    for after in range(1, 4):
        with closing(run(experiment, tmp_path / "parts")) as events:
            assert any(event.kind == "step" and event.step == after for event in events)
        assert standing(tmp_path / "parts").state == "cancelled"
        assert standing(tmp_path / "parts").step == after
    list(run(experiment, tmp_path / "parts"))
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))
    validations = [one for one in kinds(RunFolder(tmp_path / "parts").events()) if one[0] == "validation"]
    assert validations == [("validation", 2), ("validation", 3)]


def test_semantic_energy_hands_its_trained_centres_on(world: World, tmp_path: Path) -> None:
    loss = {"name": "semantic_energy", "width": 6, "warm_up": 0}
    list(run(world.experiment(loss=loss, margins=EVERYTHING), tmp_path))
    model = load(tmp_path / "checkpoint")
    assert model.centers is not None
    assert model.centers.shape == (10, 6)
    assert model(torch.zeros(2, 3, 32, 32)).embeddings.shape == (2, 6)


@contextmanager
def process(experiment: Experiment, folder: Path, *more: str) -> Iterator["subprocess.Popen[str]"]:
    """A run elsewhere, with as many threads as here; gone when the block ends."""
    recipe = folder.parent / "asked.json"
    recipe.write_text(json.dumps(experiment.to_json()))
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [sys.executable, str(AT_WORK), str(recipe), str(folder), *more]
    with subprocess.Popen(command, text=True, stdout=-1, stderr=-1, env=environment) as running:
        try:
            yield running
        finally:
            running.kill()


def wait_for(lines: IO[str] | None, event: str) -> None:
    assert lines is not None
    for line in lines:
        if line.strip() == event:
            return
    raise AssertionError(f"'{event}' never came")


@pytest.mark.slow
def test_a_process_is_killed_and_its_run_resumed_bit_for_bit(world: World, tmp_path: Path) -> None:
    experiment = world.experiment(model={"architecture": "resnet-20-w4"}, train={"steps": 40}, validation={"every": 30})
    place = RunFolder(tmp_path / "run")
    with process(experiment, place.path) as running:
        wait_for(running.stdout, "step 7")
        running.send_signal(signal.SIGSTOP)  # or it would end while we look
        assert place.live
        assert standing(place.path).state == "running"
        with pytest.raises(BusyError, match="Another run is going on"):
            next(run(experiment, place.path))
        running.kill()
        running.wait()
    assert not place.live
    assert standing(place.path).state == "killed"
    told = list(run(experiment, place.path))
    assert told[0].kind == "resumed"
    assert 6 <= told[0].step < 40
    list(run(experiment, tmp_path / "whole"))
    assert same(weights(place.path), weights(tmp_path / "whole"))


@pytest.mark.slow
def test_two_processes_write_once_and_end_where_one_would(world: World, tmp_path: Path) -> None:
    """With batch norm frozen: each process has statistics of its own."""
    loss, train = {"name": "balanced_energy", "alpha": 2.0}, {"batch_norm": "frozen"}
    experiment = world.experiment(loss=loss, train=train, margins=EVERYTHING)
    with process(experiment, tmp_path / "run", "2") as running:
        said, complained = running.communicate(timeout=600)
    assert running.returncode == 0, complained
    assert [line for line in said.splitlines() if line.startswith("step")] == ["step 1", "step 2", "step 3"]
    assert standing(tmp_path / "run").state == "finished"
    assert read_card(tmp_path / "run" / "checkpoint").recipe["budget"]["processes"] == 2
    steps = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert len(steps) == len(RunFolder(tmp_path / "run").events())  # nothing was told twice
    list(run(experiment, tmp_path / "alone", accelerator="cpu"))
    alone, start = weights(tmp_path / "alone"), prepare(experiment).model.state_dict()
    for name, value in weights(tmp_path / "run").items():
        torch.testing.assert_close(value, alone[name], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(alone["fc.weight"], start["fc.weight"], atol=1e-3)  # or the above would say nothing


@pytest.mark.slow
def test_two_processes_stop_together_and_go_on_together(world: World, tmp_path: Path) -> None:
    experiment = world.experiment(train={"steps": 100_000, "batch_norm": "frozen"}, validation={"every": 100_000})
    place = RunFolder(tmp_path / "run")
    for begins, wanted in (("prepared 0", "step 2"), ("resumed", "step")):
        before = place.status
        with process(experiment, place.path, "2") as running:
            assert running.stdout is not None
            assert next(running.stdout).startswith(begins)
            assert next(line for line in running.stdout if line.startswith(wanted))
            place.cancel()
            said, complained = running.communicate(timeout=600)  # ends when no process holds the line any more
        assert running.returncode == 0, complained
        now = standing(place.path)
        assert now.state == "cancelled"
        assert said.splitlines()[-1] == f"cancelled {now.step}"
        assert (1 if before is None else before.step) < now.step < 100_000


class Fabric:
    """As many processes as one likes, which hear what is said."""

    def __init__(self, processes: int, *heard: Any) -> None:
        self.world_size, self.said, self.heard = processes, [], list(heard)

    def broadcast(self, word: Any) -> Any:
        self.said.append(word)
        return self.heard.pop(0) if self.heard else word


def test_other_processes_are_sent_home_whatever_happens() -> None:
    from oodcore.jobs.party import Party

    fabric = Fabric(2)
    with suppress(KeyError), Party(fabric) as party:
        party.say("begin")
        party.step(iter([Step(0, {}, {}, 0.1)]))
        raise KeyError
    assert fabric.said == ["begin", True, None]
    fabric = Fabric(2)
    with pytest.raises(StopIteration), Party(fabric) as party:
        party.step(iter([]))  # what ends a step ends it everywhere: nobody is left to hear a word
    assert fabric.said == [True]
    fabric = Fabric(1)
    with Party(fabric) as party:
        party.say("begin")
        party.step(iter([Step(0, {}, {}, 0.1)]))
    assert fabric.said == []


def test_a_further_process_does_what_it_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    from oodcore.jobs.party import follow

    monkeypatch.setattr(signal, "signal", lambda *about: None)
    taken: list[int] = []

    def join(word: Any) -> Any:
        return (taken.append(number) for number in range(word))

    follow(Fabric(2, 9, True, True, None), join)
    assert taken == [0, 1]
    follow(Fabric(2, None), join)  # the first process could not begin
    assert taken == [0, 1]


def test_a_further_process_leaves_quietly_where_all_diverge(monkeypatch: pytest.MonkeyPatch) -> None:
    from oodcore.jobs.party import follow

    monkeypatch.setattr(signal, "signal", lambda *about: None)

    def diverging(word: Any) -> Any:
        raise DivergedError("at once")
        yield

    follow(Fabric(2, "begin", True), diverging)


def test_a_cancelled_run_keeps_its_state_and_goes_on(whole: Path, world: World, tmp_path: Path) -> None:
    told: list[Event] = []
    for event in run(world.experiment(), tmp_path):
        told.append(event)
        if event.kind == "step" and event.step == 2:
            RunFolder(tmp_path).cancel()
    assert kinds(told)[-3:] == [("step", 2), ("validation", 2), ("cancelled", 2)]
    assert standing(tmp_path) == Status("cancelled", 2, 3, "Stopped on request; start it again to go on.")
    again = list(run(world.experiment(), tmp_path))
    assert kinds(again) == [("resumed", 2), ("step", 3), ("validation", 3), ("finished", 3)]
    assert same(weights(tmp_path), weights(whole))


def test_a_run_can_be_cancelled_while_it_is_prepared(world: World, tmp_path: Path) -> None:
    stages: list[str] = []

    def progress(stage: str, done: int, total: int) -> None:
        stages.append(stage)
        RunFolder(tmp_path).cancel()

    told = list(
        run(world.experiment(loss={"name": "energy"}, margins=EVERYTHING), tmp_path, work=Work(progress=progress))
    )
    assert kinds(told) == [("cancelled", 0)]
    assert stages == ["Collecting figures"]
    assert standing(tmp_path).state == "cancelled"
    assert not (tmp_path / "state.pt").exists()


def test_preparation_is_told_in_the_status(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "WRITTEN_EVERY", 0.0)
    said: list[str] = []

    def progress(stage: str, done: int, total: int) -> None:
        said.append(standing(tmp_path).message)

    work = Work(progress=progress, batch_size=10)
    next(run(world.experiment(loss={"name": "energy"}, margins=EVERYTHING), tmp_path, work=work))
    assert said[:3] == ["Preparing.", "Collecting figures: 10 of 30.", "Collecting figures: 20 of 30."]


def test_ctrl_c_waits_for_the_end_of_a_step(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.default_int_handler)
    take = Training._step

    def interrupted(self: Training, index: int) -> Step:
        if index == 1:
            signal.raise_signal(signal.SIGINT)
        return take(self, index)

    monkeypatch.setattr(Training, "_step", interrupted)
    told: list[Event] = []
    with pytest.raises(KeyboardInterrupt):
        told.extend(run(world.experiment(), tmp_path))
    assert standing(tmp_path).state == "cancelled"
    state = RunFolder(tmp_path).kept()
    assert state is not None
    assert state["done"] == 2


def test_a_second_ctrl_c_in_a_step_leaves_the_last_state_alone(
    whole: Path, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Training._step

    def interrupted(self: Training, index: int) -> Step:
        step = take(self, index)
        if index == 1:
            raise KeyboardInterrupt  # weights are new, but the step is not over
        return step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(run(world.experiment(), tmp_path, saved_every=0))
    state = RunFolder(tmp_path).kept()
    assert state is not None
    assert state["done"] == 1
    assert standing(tmp_path).state == "cancelled"
    list(run(world.experiment(), tmp_path))
    assert same(weights(tmp_path), weights(whole))


def test_the_first_ctrl_c_is_held_back_and_the_second_comes_through() -> None:
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with held_back() as asked:
            signal.raise_signal(signal.SIGINT)
        assert asked == [signal.SIGINT]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        with held_back():
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_divergence_is_told_with_advice_and_the_last_state_stands(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Training._step

    def poisoned(self: Training, index: int) -> Step:
        if index == 2:
            with torch.no_grad():
                self.model.fc.weight[0] = torch.nan
        return take(self, index)

    monkeypatch.setattr(Training, "_step", poisoned)
    with pytest.raises(DivergedError, match=r"The loss is nan at step 2 \(cross_entropy=nan.*lower learning rate"):
        list(run(world.experiment(), tmp_path, saved_every=0))
    assert standing(tmp_path).state == "failed"
    assert "lower learning rate than 0.05" in standing(tmp_path).message
    state = RunFolder(tmp_path).kept()
    assert state is not None
    assert state["done"] == 2
    assert all(value.isfinite().all() for value in state["joint"].values())


def test_a_state_with_nan_never_replaces_a_good_one(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a device, the loss is not looked at in every step."""
    take = Training._step

    def poisoned(self: Training, index: int) -> Step:
        step = take(self, index)
        if index == 0:  # after which nothing validates
            with torch.no_grad():
                self.model.fc.weight[0] = torch.inf
        return step

    monkeypatch.setattr(Training, "_step", poisoned)
    with pytest.raises(DivergedError, match=r"'network.fc.weight' is NaN or infinite at step 1. Try a lower learning"):
        list(run(world.experiment(), tmp_path, saved_every=0))
    state = RunFolder(tmp_path).kept()
    assert state is not None
    assert state["done"] == 0
    assert not (tmp_path / "checkpoint").exists()


def test_a_loss_that_is_no_number_is_never_written(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Training._step
    monkeypatch.setattr(Training, "_step", lambda self, index: without_sense(take(self, index)))
    with pytest.raises(DivergedError, match="The loss is NaN or infinite at step 1"):
        list(run(world.experiment(), tmp_path))
    assert [event["kind"] for event in RunFolder(tmp_path).events()] == ["prepared"]


def without_sense(step: Step) -> Step:
    return Step(step.index, {"cross_entropy": torch.tensor(float("nan"))}, step.activity, step.lr)


def full(*about: object, **more: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_and_nothing_is_lost(whole: Path, world: World, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, closing(run(world.experiment(), tmp_path, saved_every=0)) as events:
        for event in events:
            if event.kind == "step" and event.step == 2:
                break
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(UnwritableError, match=r"state.pt' cannot be written: No space left on device. Mend that"):
            list(events)
    assert standing(tmp_path).state == "failed"
    assert "No space left" in standing(tmp_path).message
    state = RunFolder(tmp_path).kept()
    assert state is not None
    assert state["done"] == 1
    list(run(world.experiment(), tmp_path))
    assert same(weights(tmp_path), weights(whole))


def test_where_even_the_status_cannot_be_written_the_error_is_the_first_one(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = run(world.experiment(), tmp_path, saved_every=0)
    next(events)
    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UnwritableError, match=r"status.json' cannot be written: No space left"):
        list(events)


def test_a_result_that_cannot_be_written_is_absent_and_the_run_can_be_ended_later(
    whole: Path, world: World, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("safetensors.torch.save_file", full)
        with pytest.raises(UnwritableError, match=r"checkpoint' cannot be written: No space left"):
            list(run(world.experiment(), tmp_path))
    assert not (tmp_path / "checkpoint").exists()
    assert not list(tmp_path.glob(".checkpoint*"))
    assert kinds(list(run(world.experiment(), tmp_path))) == [("resumed", 3), ("finished", 3)]
    assert same(weights(tmp_path), weights(whole))
    assert read_card(tmp_path / "checkpoint").metrics == read_card(whole / "checkpoint").metrics


def test_safetensors_own_error_is_told_in_a_sentence(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors import SafetensorError

    def failing(*about: object, **more: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", failing)
    with pytest.raises(UnwritableError, match=r"checkpoint' cannot be written: No space left"):
        list(run(world.experiment(), tmp_path))


def test_what_is_wrong_with_the_input_is_in_the_status(world: World, tmp_path: Path) -> None:
    with pytest.raises(OODError, match="batch of 31 does not fit"):
        list(run(world.experiment(train={"batch": 31}), tmp_path))
    assert standing(tmp_path).state == "failed"
    assert "batch of 31 does not fit 'figures'" in standing(tmp_path).message


def test_faults_of_ours_are_in_the_status_too(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*about: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(Training, "_step", fault)
    with pytest.raises(ZeroDivisionError):
        list(run(world.experiment(), tmp_path))
    assert standing(tmp_path).state == "failed"
    assert standing(tmp_path).message == "ZeroDivisionError: oh"


def test_a_folder_of_an_older_version_without_measurements_goes_on(whole: Path, world: World, tmp_path: Path) -> None:
    with closing(run(world.experiment(), tmp_path)) as events:
        assert any(event.kind == "step" and event.step == 2 for event in events)
    (tmp_path / "prepared.json").unlink()
    list(run(world.experiment(), tmp_path))
    assert same(weights(tmp_path), weights(whole))


def test_a_fine_tuning_names_its_parent_without_a_path(whole: Path, world: World, tmp_path: Path) -> None:
    source = tmp_path / "first" / "checkpoint"
    source.parent.mkdir()
    source.symlink_to(whole / "checkpoint")
    list(run(world.experiment(model={"architecture": None, "checkpoint": str(source)}), tmp_path / "second"))
    card = read_card(tmp_path / "second" / "checkpoint")
    assert card.parent == "first"
    assert card.recipe["model"]["checkpoint"] == "first"
    assert str(tmp_path) not in json.dumps(card.recipe["model"])


def test_validation_equals_the_metrics_of_its_energies() -> None:
    torch.manual_seed(1)
    inside, outside = procedural("shapes", "train", count=40), procedural("shapes-aux", "train", count=30)
    model = build("resnet-8-w4", inside.classes).train()
    found = validate(model, inside, outside)
    assert model.training
    model.eval()
    with torch.no_grad():
        logits, other = (model(model.transform.normalise(images.images)).logits for images in (inside, outside))
    known, strange = free_energy(logits), free_energy(other)
    assert found == pytest.approx(
        {
            "accuracy": accuracy(logits, inside.labels),
            "auroc": auroc(known, strange),
            "fpr95_id_positive": fpr_at_recall(known, strange, positive="id"),
            "fpr95_ood_positive": fpr_at_recall(known, strange, positive="ood"),
        }
    )
    assert set(validate(model, inside)) == {"accuracy"}


def test_validation_takes_images_from_the_whole_set() -> None:
    """The first ones of a sorted set would all be of one class."""
    images = procedural("shapes", "train", count=40)
    ordered = images.take(images.labels.argsort())
    model = build("resnet-8-w4", images.classes)
    with torch.no_grad():
        model.fc.weight.zero_()
        model.fc.bias.copy_(torch.eye(10)[3])
    assert validate(model, ordered, limit=20)["accuracy"] == pytest.approx(0.1)


def test_between_written_steps_no_number_is_read(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "WRITTEN_EVERY", 1e9)
    told = [event for event in run(world.experiment(), tmp_path) if event.kind == "step"]
    assert [bool(event.values) for event in told] == [True, False, True]  # the first, and the last always
    assert [event["step"] for event in RunFolder(tmp_path).events() if event["kind"] == "step"] == [1, 3]


def test_the_clock_counts_images_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    from oodcore.jobs.clock import Beat, Pace

    now = count(100.0, 2.0)
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    pace = Pace(done=10, steps=30, images=384, seconds=50.0)  # at 100
    assert pace.numbers(20) == {"images_per_second": 1920.0, "seconds_left": 2.0}  # ten steps in two seconds
    assert pace.seconds == 54.0
    beat = Beat(3.0)  # at 106
    assert [beat.due() for _ in range(4)] == [False, True, False, True]
    assert Beat(3.0, at_once=True).due()
