"""What a run hands on: the network with a card that says how it came about."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from oodcore.checkpoint import Card, known, save
from oodcore.config import Experiment
from oodcore.jobs.folder import RunFolder, writing
from oodcore.jobs.images import catalogued
from oodcore.jobs.prepare import Prepared
from oodcore.jobs.validate import metrics_of
from oodcore.models import Network
from oodcore.train.loop import Training

__all__ = ["card_of", "save_result"]


def save_result(
    place: RunFolder,
    experiment: Experiment,
    ready: Prepared,
    training: Training,
    validation: Mapping[str, float],
    seconds: float,
) -> None:
    """The checkpoint folder, whole or not at all.

    Args:
        place: The run's folder.
        experiment: What was run.
        ready: With what.
        training: After its last step.
        validation: What the last validation found.
        seconds: That training took.

    Raises:
        UnwritableError: a full disk, or missing rights.
    """
    model, objective = training.result, training.resulting_objective
    if hasattr(objective, "attach"):
        objective.attach(model)
    model.card, model.notes = None, []
    card = card_of(model, experiment, ready, budget_of(training, seconds), validation)
    with writing(place.checkpoint):
        save(place.checkpoint, model.eval(), card)


def card_of(
    model: Network,
    experiment: Experiment,
    ready: Prepared,
    budget: Mapping[str, Any],
    validation: Mapping[str, float],
) -> Card:
    """Settings as they were used, budget, data, parent, and the last validation."""
    measured, parent = ready.measured, parent_of(experiment)
    recipe = experiment.to_json() | {"loss": dict(measured.loss), "budget": dict(budget)}
    recipe["model"] = recipe["model"] | {"checkpoint": parent}  # by name: a path of this machine helps nobody
    if measured.prior is not None:
        recipe |= {"outlier_prior": measured.prior, "held_out": measured.held_out}
    return Card.of(
        model,
        title=experiment.title,
        recipe=recipe,
        seed=experiment.train.seed,
        data=dict(measured.digests),
        metrics=metrics_of(validation, ready.images, experiment.validation.limit),
        parent=parent,
        licence=licence_of(experiment),
        notes=experiment.notes,
    )


def budget_of(training: Training, seconds: float) -> dict[str, Any]:
    """What the training took."""
    device = training.fabric.device
    return {
        "steps": training.done,
        "seconds": round(seconds, 1),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processes": training.fabric.world_size,
        "threads": torch.get_num_threads(),
    }


def parent_of(experiment: Experiment) -> str | None:
    """Name of the checkpoint that was fine-tuned; of one that lies in a run's folder, the run's."""
    source = experiment.model.checkpoint
    if source is None or source in known():
        return source
    path = Path(source)
    return path.parent.name if path.name == "checkpoint" and path.parent.name else path.name


def licence_of(experiment: Experiment) -> str:
    """What the owners of the images allow."""
    names = [experiment.data.inliers, *([] if experiment.data.outliers is None else [experiment.data.outliers])]
    found = [f"{name}: {each.licence}" for name in names if (each := catalogued(name)) is not None]
    return f"Learned from images under these terms. {' '.join(found)}" if found else ""
