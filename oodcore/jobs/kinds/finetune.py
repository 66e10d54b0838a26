"""A checkpoint meets outliers: trained, completed with panel, thresholds and reference, and compared with its start."""

import json
import shutil
from collections.abc import Generator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from oodcore.atomic import replacing
from oodcore.config import Experiment
from oodcore.errors import DataError
from oodcore.evaluate import Work
from oodcore.jobs.folder import RunFolder
from oodcore.jobs.kinds import telling
from oodcore.jobs.run import Event

__all__ = ["CHECKPOINT", "COMPARISON", "steps", "work"]

CHECKPOINT, COMPARISON = "checkpoint", "comparison.json"
"""What lies in the result: a checkpoint, and how it compares with the one that it began with."""


def steps(order: Mapping[str, Any]) -> int:
    """Of the training.

    Raises:
        DataError: the order leaves them to a number of epochs, or is damaged; see also `Experiment.from_json`.
    """
    wanted = experiment_of(order).train.steps
    if wanted is None:
        raise DataError("A fine-tuning that lines up says its number of steps.")
    return wanted


def work(order: Mapping[str, Any], place: RunFolder, *, root: Path | None) -> Generator[Event, None, None]:
    """Train in a folder of its own, then complete, compare and hand over."""
    experiment, training = experiment_of(order), RunFolder(place.path / "training")
    passes = Work(cache=place.path / "outputs", progress=telling(place))
    result = place.path / "result"
    if result.exists():
        return
    from oodcore.jobs.run import run

    for event in run(experiment, training.path, root=root, work=passes):
        if event.kind in ("step", "validation", "prepared", "resumed"):
            yield replace(event, values={**event.values, "steps": steps(order)}) if event.values else event
    done = steps(order)
    yield Event("measuring", done, {"steps": done, "message": "Fitting scorers, measuring before and after."})
    comparison = compared(order["evaluation"], experiment, training.checkpoint, root, passes)
    part = place.path / ".result"
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(training.checkpoint, part / CHECKPOINT)
    with replacing(part / COMPARISON) as file:
        file.write_text(json.dumps(comparison, allow_nan=False), "utf-8")
    part.rename(result)
    shutil.rmtree(place.path / "outputs", ignore_errors=True)
    yield Event("finished", done, {})


def experiment_of(order: Mapping[str, Any]) -> Experiment:
    """What is trained."""
    if not isinstance(order.get("experiment"), Mapping) or not isinstance(order.get("evaluation"), Mapping):
        raise DataError("The order of this run is damaged. Start it anew.")
    return Experiment.from_json(order["experiment"])


def compared(
    evaluation: Mapping[str, Any], experiment: Experiment, trained: Path, root: Path | None, passes: Work
) -> dict[str, Any]:
    """Energies and metrics of both networks on the same images; completes the trained one on the way."""
    from oodcore.checkpoint import folder_of, load
    from oodcore.jobs.complete import complete, read_sets

    after = complete(trained, **evaluation, root=root, work=passes)
    model = load(folder_of(str(experiment.model.checkpoint), root))
    from oodcore.evaluate import evaluate, fit_panel
    from oodcore.evaluate.work import bank_of
    from oodcore.functional import free_energy
    from oodcore.jobs.complete import spread_over_classes

    card = load(trained).card
    sets = read_sets(card, evaluation["id_set"], evaluation["ood_sets"], (), root, passes)
    bank = sets.train.take(spread_over_classes(sets.train.labels, evaluation.get("bank_rows", 2000)))
    panel = fit_panel(model, bank, sets.calibration, ["energy"], passes)
    before = evaluate(model, panel, sets.test, sets.outside, passes, checkpoint="before")
    networks = {"before": (model, before), "after": (load(trained), after)}
    return {
        name: {
            "rows": [
                {"ood_set": row.ood_set, "n_id": row.n_id, "n_ood": row.n_ood, "values": dict(row.values)}
                | {"convention": asdict(row.convention)}
                for row in found.report.rows
                if row.scorer == "energy"
            ],
            "accuracy": None if found.closed_set is None else found.closed_set.accuracy,
            "energies": {
                images.name: [
                    round(x, 5) for x in free_energy(bank_of(network, images, passes).outputs.logits).tolist()
                ]
                for images in (sets.test, *sets.outside)
            },
        }
        for name, (network, found) in networks.items()
    }
