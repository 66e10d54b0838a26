"""One experiment in one folder, as a stream of events: started, cancelled, killed, resumed or finished."""

import math
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from oodcore.checks import prior_zeros
from oodcore.config import Experiment
from oodcore.errors import DataError, OODError
from oodcore.evaluate import Work
from oodcore.jobs.clock import Beat, Pace
from oodcore.jobs.folder import RunFolder, Status
from oodcore.jobs.interrupts import held_back
from oodcore.jobs.party import Party, follow
from oodcore.jobs.prepare import Measured, Prepared, prepare
from oodcore.jobs.result import save_result
from oodcore.jobs.validate import validate
from oodcore.train.devices import fabric_for
from oodcore.train.loop import DivergedError, Step, Training

__all__ = ["Event", "run"]

SAVED_EVERY = 30.0  # seconds; a kill costs at most so much
WRITTEN_EVERY = 0.5  # seconds; a step may be far shorter than a line is worth
STOPPED = "Stopped on request; start it again to go on."


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a run tells.

    Args:
        kind: "prepared", "resumed", "step", "validation", "finished" or "cancelled".
        step: Updates taken when it happened.
        values: What happened: numbers by name, plain and finite. Of steps, only those that are written down have some,
            about two a second, for reading numbers waits for the device.
    """

    kind: str
    step: int
    values: Mapping[str, Any] = field(default_factory=dict)


class Stopped(Exception):  # noqa: N818
    """Somebody asked a run to stop that was still being prepared."""


def run(
    experiment: Experiment,
    folder: Path | str,
    *,
    root: Path | None = None,
    work: Work | None = None,
    accelerator: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    saved_every: float = SAVED_EVERY,
) -> Generator[Event, None, None]:
    """Train in a folder; goes on where an earlier process of the same experiment was stopped or killed.

    Yields after every step. It stops between steps: when the folder's `cancel` appears, when the generator is closed,
    or on Ctrl-C, and keeps its state: the next call goes on. A finished run yields "finished" again and does nothing.
    Of several processes only the first yields and writes; the others follow it to the end without a word.

    Args:
        experiment: What is to be run.
        folder: Of this run alone; made here.
        root: Folder of the image sets; see `oodcore.data.roots`.
        work: How passes over images are run.
        accelerator: See `fabric_for`.
        devices: Processes per machine.
        nodes: Machines.
        saved_every: Seconds between two states on disk; 0 keeps one after every step.

    Raises:
        BusyError: another process works in the folder.
        UnwritableError: a full disk, or missing rights; the last state stands.
        DataError, CheckpointError, ScoreError, UnknownNameError: see `prepare`; or the folder holds another run.
        DivergedError: the loss or a weight is not finite; the last state stands.
    """
    place, work = RunFolder(Path(folder)), work or Work()
    fabric = fabric_for(experiment.train, accelerator=accelerator, devices=devices, nodes=nodes)
    if not fabric.is_global_zero:
        follow(fabric, partial(_joined, experiment, fabric, root, work))
        return
    with Party(fabric) as party, place.held():
        place.claim(experiment)
        if (status := place.status) is not None and status.state == "finished":
            if not place.checkpoint.is_dir():
                raise DataError(
                    f"This run has finished, but its result is gone. Remove '{place.path}' to run it again."
                )
            place.drop_state()  # where it was killed just before
            yield Event("finished", status.step, {"checkpoint": str(place.checkpoint)})
            return
        place.go_on()
        with _reported(place):
            try:
                going = _begun(experiment, place, fabric, party, root, work, saved_every)
            except Stopped:
                yield _stopped(place)
                return
            yield from going.events(party)


def _begun(
    experiment: Experiment,
    place: RunFolder,
    fabric: Any,
    party: Party,
    root: Path | None,
    work: Work,
    saved_every: float,
) -> "Going":
    """Prepared, together with the other processes; the state of an earlier process is taken up."""
    before, state = place.status or Status("running"), place.kept()
    place.tell(replace(before, state="running", message="Preparing."))
    noted = None if state is None else place.prepared
    known = None if noted is None else Measured.from_json(noted)
    ready = prepare(
        experiment, root, _watched(work, place), device=fabric.device, known=known, processes=fabric.world_size
    )
    place.note_prepared(asdict(ready.measured))
    party.say({"measured": asdict(ready.measured), "state": state})
    return Going(experiment, place, ready, _training(experiment, ready, fabric, state), state, saved_every)


def _joined(experiment: Experiment, fabric: Any, root: Path | None, work: Work, word: Mapping[str, Any]) -> Training:
    """The training of a further process: what the first one measured and kept, on images that it reads itself."""
    known = Measured.from_json(word["measured"])
    ready = prepare(
        experiment, root, replace(work, progress=None), device=fabric.device, known=known, processes=fabric.world_size
    )
    return _training(experiment, ready, fabric, word["state"])


def _training(experiment: Experiment, ready: Prepared, fabric: Any, state: Mapping[str, Any] | None) -> Training:
    images = ready.images
    training = Training(ready.model, ready.objective, images.inliers, images.outliers, experiment.train, fabric)
    if state is not None:
        training.load_state_dict(state)
    return training


class Going:
    """A run on its way: what is written when.

    Events come before the state that contains their step. So whatever state a kill leaves behind, everything up to it
    has been told, and what was told beyond it is told again.

    Args:
        experiment: What is run.
        place: Where.
        ready: With what.
        training: On its way.
        state: Where it was taken up; None at the first start.
        saved_every: Seconds between two states.
    """

    def __init__(
        self,
        experiment: Experiment,
        place: RunFolder,
        ready: Prepared,
        training: Training,
        state: Mapping[str, Any] | None,
        saved_every: float,
    ) -> None:
        self.experiment, self.place, self.ready, self.training = experiment, place, ready, training
        self.resumed = state is not None
        self.write, self.save = Beat(WRITTEN_EVERY, at_once=True), Beat(saved_every)
        recipe = experiment.train
        images = recipe.batch + (recipe.outlier_batch if training.outliers is not None else 0)
        before = 0.0 if state is None else float(state.get("seconds", 0.0))
        self.pace = Pace(training.done, training.steps, images, before)
        self.validation: dict[str, float] = {}
        self.validated_at = -1

    def events(self, party: Party) -> Iterator[Event]:
        """Everything until the run ends, one way or the other."""
        inside = False  # a step, which only a second Ctrl-C interrupts: then weights are half updated
        try:
            yield self.begin()
            yield from self.validated()
            steps = iter(self.training)
            while self.training.done < self.training.steps:
                inside = True
                with held_back() as asked:
                    step = party.step(steps)
                inside = False
                yield self.stepped(step)
                yield from self.validated()
                if asked:
                    raise KeyboardInterrupt  # noqa: TRY301
                if self.place.cancelling:
                    yield self.stop()
                    return
                if self.save.due():
                    self.keep()
        except (GeneratorExit, KeyboardInterrupt):
            if not inside:
                self.stop()
            raise
        yield self.finish()

    def begin(self) -> Event:
        """The first event, and the first state, so that a resumed run never measures again."""
        if self.resumed:
            self.recall()
            return self.note(Event("resumed", self.training.done))
        event = self.note(Event("prepared", 0, described(self.ready)))
        self.keep()
        return event

    def stepped(self, step: Step) -> Event:
        """Numbers where they are written down: about twice a second, and of the last step."""
        done = self.training.done
        if not self.write.due() and done < self.training.steps:
            return Event("step", done)
        terms = {name: float(term) for name, term in step.terms.items()}
        if not all(map(math.isfinite, terms.values())):
            raise self.diverged("loss")
        activity = {name: float(share) for name, share in step.activity.items()}
        numbers = {"terms": terms, "activity": activity, "lr": step.lr, **self.pace.numbers(done)}
        event = self.note(Event("step", done, numbers))
        self.place.tell(Status("running", done, self.training.steps))
        return event

    def validated(self) -> Iterator[Event]:
        """A validation, where one is due and was not made yet."""
        done = self.training.done
        due = done == self.training.steps or (done > 0 and done % self.experiment.validation.every == 0)
        if not due or done == self.validated_at:
            return
        self.require_finite()
        images, limit = self.ready.images, self.experiment.validation.limit
        self.validation = validate(self.training.result, images.calibration, images.held_out, limit)
        self.validated_at = done
        yield self.note(Event("validation", done, self.validation))

    def recall(self) -> None:
        """The validation of this state, if an earlier process made it."""
        for event in self.place.events():
            if event["kind"] == "validation" and event["step"] == self.training.done:
                self.validation = {name: value for name, value in event.items() if name not in ("kind", "step")}
                self.validated_at = self.training.done

    def keep(self) -> None:
        """The state, unless a weight is no number any more: then the last one stands."""
        self.require_finite()
        self.place.keep(self.training.state_dict() | {"seconds": self.pace.seconds})

    def stop(self) -> Event:
        """Between two steps."""
        self.keep()
        return _stopped(self.place, self.training.done, self.training.steps)

    def finish(self) -> Event:
        """The result; until it is whole, the last state stands."""
        self.keep()
        save_result(self.place, self.experiment, self.ready, self.training, self.validation, self.pace.seconds)
        event = self.note(Event("finished", self.training.done, {"checkpoint": str(self.place.checkpoint)}))
        self.place.tell(Status("finished", self.training.done, self.training.steps))
        self.place.drop_state()
        return event

    def note(self, event: Event) -> Event:
        """Written down."""
        self.place.append({"kind": event.kind, "step": event.step, **event.values})
        return event

    def require_finite(self) -> None:
        """On a device the loss is not looked at in every step.

        Raises:
            DivergedError: a weight or class centre is NaN or infinite.
        """
        for name, value in self.training.joint.state_dict().items():
            if value.is_floating_point() and not bool(value.isfinite().all()):
                raise self.diverged(f"tensor '{name}'")

    def diverged(self, what: str) -> DivergedError:
        """With advice."""
        return DivergedError(
            f"The {what} is NaN or infinite at step {self.training.done}. Try a lower learning rate than "
            f"{self.experiment.train.lr:g}, and margins that fit this network's energies, in another folder."
        )


def described(ready: Prepared) -> dict[str, Any]:
    """What a reader wants to know of the start."""
    measured, images = ready.measured, ready.images
    outliers = {} if images.outliers is None else {"outliers": len(images.outliers), "held_out": measured.held_out}
    values: dict[str, Any] = {"loss": dict(measured.loss), "inliers": len(images.inliers), **outliers}
    if measured.prior is not None:
        values["prior"] = measured.prior
        values["findings"] = empty_classes(measured.prior, measured.loss)
    return values


def empty_classes(prior: list[int], loss: Mapping[str, Any]) -> list[str]:
    """What to know of classes without outliers, once for each exponent that is used."""
    gammas = dict.fromkeys(loss[name] for name in ("gamma", "gamma_weight") if loss.get(name) is not None)
    stays = bool(loss.get("zero_stays_zero"))
    found = (prior_zeros(prior, gamma, zero_stays_zero=stays) for gamma in gammas)
    return [str(each) for each in found if each is not None]


def _stopped(place: RunFolder, step: int | None = None, steps: int = 0) -> Event:
    """Said in the status and in the events."""
    before = place.status or Status("running")
    status = Status("cancelled", before.step, before.steps) if step is None else Status("cancelled", step, steps)
    place.tell(replace(status, message=STOPPED))
    place.append({"kind": "cancelled", "step": status.step})
    return Event("cancelled", status.step)


def _watched(work: Work, place: RunFolder) -> Work:
    """A preparation that is told in the status, and stops when asked."""
    beat, before = Beat(WRITTEN_EVERY), place.status or Status("running")

    def progress(stage: str, done: int, total: int) -> None:
        if work.progress is not None:
            work.progress(stage, done, total)
        if place.cancelling:
            raise Stopped
        if beat.due():
            place.tell(replace(before, state="running", message=f"{stage}: {done:,} of {total:,}."))

    return replace(work, progress=progress)


@contextmanager
def _reported(place: RunFolder) -> Iterator[None]:
    """A failure is written down in a sentence, and raised."""
    try:
        yield
    except torch.OutOfMemoryError:
        said = "The device's memory is full. Choose a smaller batch, more parts with accumulate, or half precision."
        _quietly(place, "failed", said)
        raise OODError(said) from None
    except Exception as error:
        said = str(error) if isinstance(error, OODError | OSError) else f"{type(error).__name__}: {error}"
        _quietly(place, "failed", said)
        raise
    except KeyboardInterrupt:
        if (status := place.status) is not None and status.state == "running":
            _quietly(place, "cancelled", STOPPED)
        raise


def _quietly(place: RunFolder, state: Any, message: str) -> None:
    try:
        before = place.status or Status("running")
        place.tell(replace(before, state=state, message=message))
    except (OODError, OSError):  # the disk may be what failed
        return
