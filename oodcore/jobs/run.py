"""One experiment in one folder, as a stream of events: started, cancelled, killed, resumed or finished."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from oodcore.checkpoint import Card, save
from oodcore.config import Experiment
from oodcore.data import ImageSet
from oodcore.errors import OODError
from oodcore.evaluate import Work
from oodcore.evaluate.work import spread_rows
from oodcore.functional import free_energy
from oodcore.jobs.folder import RunFolder, Status
from oodcore.jobs.prepare import Prepared, prepare
from oodcore.metrics import accuracy, auroc, fpr_at_recall
from oodcore.models import Network
from oodcore.models.collect import collect
from oodcore.models.weights_file import check_finite
from oodcore.train.devices import fabric_for
from oodcore.train.loop import Step, Training

__all__ = ["Event", "run", "validate"]

SAVED_EVERY = 30.0  # seconds; a kill costs at most so much
WRITTEN_EVERY = 0.5  # seconds; a step may be far shorter than a line is worth


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a run tells.

    Args:
        kind: "prepared", "step", "validation", "finished" or "cancelled".
        step: Updates taken when it happened.
        values: What happened: numbers by name, plain and finite.
    """

    kind: str
    step: int
    values: Mapping[str, Any] = field(default_factory=dict)


def run(
    experiment: Experiment,
    folder: Path | str,
    *,
    root: Path | None = None,
    work: Work | None = None,
    accelerator: str = "auto",
    devices: int = 1,
    nodes: int = 1,
) -> Iterator[Event]:
    """Train in a folder; goes on where an earlier process of the same experiment was stopped or killed.

    Yields after every step, on every process; only the first process writes. Closing the generator, or an exception in
    the caller's loop, keeps the state: the next call resumes.

    Raises:
        BusyError: another process works in the folder.
        DataError, CheckpointError, ScoreError, UnknownNameError: see `prepare`; or the folder holds another run.
        DivergedError: the loss is not finite; the last state stands.
    """
    place = RunFolder(Path(folder))
    fabric = fabric_for(experiment.train, accelerator=accelerator, devices=devices, nodes=nodes)
    if not fabric.is_global_zero:
        yield from _follow(experiment, place, fabric, root, work)
        return
    with place.held():
        place.claim(experiment)
        place.go_on()
        if place.finished:
            return
        with _reported(place):
            ready = prepare(experiment, root, work)
            yield from _lead(experiment, place, ready, _training(experiment, ready, fabric, place))


def _training(experiment: Experiment, ready: Prepared, fabric: Any, place: RunFolder) -> Training:
    training = Training(ready.model, ready.objective, ready.inliers, ready.outliers, experiment.train, fabric)
    if (state := place.kept()) is not None:
        training.load_state_dict(state)
    return training


def _follow(
    experiment: Experiment, place: RunFolder, fabric: Any, root: Path | None, work: Work | None
) -> Iterator[Event]:
    """A further process of a data-parallel run: computes, writes nothing."""
    training = _training(experiment, prepare(experiment, root, work), fabric, place)
    for step in training:
        yield Event("step", step.index + 1, {"lr": step.lr})
        if fabric.broadcast(False):
            return


def _lead(experiment: Experiment, place: RunFolder, ready: Prepared, training: Training) -> Iterator[Event]:
    clock = _Clock(experiment, training)
    place.tell(Status("running", training.done, training.steps))
    if training.done == 0:
        yield _noted(place, Event("prepared", 0, _measured(ready)))
    several = training.fabric.world_size > 1
    try:
        for step in training:
            stop = place.cancelling
            if several:
                training.fabric.broadcast(stop)
            event = Event("step", training.done, clock.numbers(step))
            if clock.due("write", WRITTEN_EVERY) or stop:
                place.append({"kind": "step", "step": event.step, **event.values})
                place.tell(Status("running", training.done, training.steps))
            yield event
            if _validates(experiment, training):
                values = validate(training.result, ready.calibration, ready.held_out, experiment.validation.limit)
                yield _noted(place, Event("validation", training.done, values))
            if clock.due("save", SAVED_EVERY):
                _keep(place, training)
            if stop:
                _keep(place, training)
                place.tell(Status("cancelled", training.done, training.steps, "Stopped on request; it can be resumed."))
                yield _noted(place, Event("cancelled", training.done))
                return
    except (GeneratorExit, KeyboardInterrupt):
        _keep(place, training)
        place.tell(Status("cancelled", training.done, training.steps, "Stopped on request; it can be resumed."))
        raise
    _finish(experiment, place, ready, training)
    yield _noted(place, Event("finished", training.done, {"checkpoint": str(place.checkpoint)}))


def validate(model: Network, calibration: ImageSet, held_out: ImageSet | None, limit: int = 2500) -> dict[str, float]:
    """Accuracy on calibration images; AUROC and FPR95 of the energy against held-out auxiliary outliers.

    Both false-positive rates at 95 % recall are there: of outliers when ID is kept, and of ID when outliers are caught.
    """
    known = _part(model, calibration, limit)
    logits, labels = known
    values = {"accuracy": accuracy(logits, labels)}
    if held_out is not None:
        inside, outside = free_energy(logits), free_energy(_part(model, held_out, limit)[0])
        values["auroc"] = auroc(inside, outside)
        values["fpr95_id_positive"] = fpr_at_recall(inside, outside, positive="id")
        values["fpr95_ood_positive"] = fpr_at_recall(inside, outside, positive="ood")
    return values


def _part(model: Network, images: ImageSet, limit: int) -> tuple[Float[Tensor, "n k"], Tensor]:
    bank = collect(model, images.take(spread_rows(len(images), limit)), norms=False)
    return bank.outputs.logits, bank.labels


def _validates(experiment: Experiment, training: Training) -> bool:
    return training.done % experiment.validation.every == 0 or training.done == training.steps


def _measured(ready: Prepared) -> dict[str, Any]:
    values: dict[str, Any] = {"loss": dict(ready.settings)}
    if ready.prior is not None:
        values["prior"] = ready.prior.tolist()
    return values


def _noted(place: RunFolder, event: Event) -> Event:
    place.append({"kind": event.kind, "step": event.step, **event.values})
    return event


def _keep(place: RunFolder, training: Training) -> None:
    """The state, unless a weight is no number any more: then the last one stands."""
    check_finite(training.model.state_dict(), str(place.path))
    place.keep(training.state_dict())


def _finish(experiment: Experiment, place: RunFolder, ready: Prepared, training: Training) -> None:
    model = training.result
    if hasattr(ready.objective, "attach"):
        ready.objective.attach(model)
    model.card, model.notes = None, []
    save(place.checkpoint, model.eval(), _card(experiment, ready, model))
    place.tell(Status("finished", training.done, training.steps))


def _card(experiment: Experiment, ready: Prepared, model: Network) -> Card:
    images: list[ImageSet] = [ready.inliers, *([] if ready.outliers is None else [ready.outliers])]
    prior = {} if ready.prior is None else {"outlier_prior": ready.prior.tolist()}
    return Card.of(
        model,
        title=experiment.title,
        recipe=experiment.to_json() | {"loss": ready.settings, "steps_taken": _steps(experiment, ready)} | prior,
        seed=experiment.train.seed,
        data={f"{each.name}/train": each.digest for each in images},
        parent=experiment.model.checkpoint,
        notes=experiment.notes,
    )


def _steps(experiment: Experiment, ready: Prepared) -> int:
    from oodcore.train.loop import steps_of

    return steps_of(ready.inliers, experiment.train)


@contextmanager
def _reported(place: RunFolder) -> Iterator[None]:
    """A failure is written down in a sentence, and raised."""
    try:
        yield
    except (OODError, OSError, MemoryError) as error:
        before = place.status
        step, steps = (before.step, before.steps) if before else (0, 0)
        _quietly(place, Status("failed", step, steps, str(error)))
        raise


def _quietly(place: RunFolder, status: Status) -> None:
    try:
        place.tell(status)
    except OSError:  # the disk may be what failed
        return


class _Clock:
    """When things are due, and how fast the run goes."""

    def __init__(self, experiment: Experiment, training: Training) -> None:
        recipe = experiment.train
        self._images = recipe.batch + (recipe.outlier_batch if training.outliers is not None else 0)
        self._training = training
        self._start, self._from = time.monotonic(), training.done
        self._last = {"write": 0.0, "save": self._start}

    def due(self, what: str, seconds: float) -> bool:
        """Whether so much time has passed since it was last due."""
        now = time.monotonic()
        if now - self._last[what] < seconds:
            return False
        self._last[what] = now
        return True

    def numbers(self, step: Step) -> dict[str, Any]:
        """The step in plain numbers."""
        passed = max(time.monotonic() - self._start, 1e-9)
        speed = (self._training.done - self._from) / passed
        return {
            "terms": {name: float(term) for name, term in step.terms.items()},
            "activity": {name: float(share) for name, share in step.activity.items()},
            "lr": step.lr,
            "images_per_second": round(speed * self._images, 1),
            "seconds_left": round((self._training.steps - self._training.done) / speed, 1),
        }
