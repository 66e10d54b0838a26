"""A checkpoint meets outliers: trained, completed with panel, thresholds and reference, and compared with its start.

The order: `experiment`, as `oodcore.config.Experiment` writes it, with its number of steps; `evaluation`, how the
result is completed, see `oodcore.jobs.complete`.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from oodcore.config import Experiment
from oodcore.errors import DataError
from oodcore.evaluate import Evaluation, Work
from oodcore.jobs.comparison import Comparison, Side
from oodcore.jobs.folder import RunFolder
from oodcore.jobs.kinds import telling
from oodcore.jobs.run import Event
from oodcore.models import Network

__all__ = ["CHECKPOINT", "COMPARISON", "experiment_of", "steps", "work"]

CHECKPOINT, COMPARISON = "checkpoint", "comparison.json"
"""What lies in the result."""

TOLD = ("prepared", "resumed", "step", "validation")


def steps(order: Mapping[str, Any]) -> int:
    """Of the training.

    Raises:
        DataError: the order leaves them to a number of epochs, or is damaged; see also `Experiment.from_json`.
    """
    wanted = experiment_of(order).train.steps
    if wanted is None:
        raise DataError("A fine-tuning that lines up says its number of steps.")
    return wanted


def experiment_of(order: Mapping[str, Any]) -> Experiment:
    """What is trained.

    Raises:
        DataError: the order is damaged; see also `Experiment.from_json`.
    """
    if not isinstance(order.get("experiment"), Mapping) or not isinstance(order.get("evaluation"), Mapping):
        raise DataError("The order of this run is damaged. Start it anew.")
    return Experiment.from_json(order["experiment"])


def work(order: Mapping[str, Any], place: RunFolder, *, root: Path | None) -> Iterator[Event]:
    """Train in a folder of its own, then complete, compare and hand over; what is there already is not done again."""
    from oodcore.jobs.run import run
    from oodcore.train.loop import DivergedError

    experiment, training, whole = experiment_of(order), RunFolder(place.path / "training"), steps(order)
    passes = Work(cache=place.path / "passes", progress=telling(place))
    if not (place.path / "result").is_dir():
        try:
            for event in run(experiment, training.path, root=root, work=passes):
                if event.kind in TOLD:
                    yield replace(event, values={**event.values, "steps": whole}) if event.values else event
        except DivergedError:
            raise DataError(
                f"The loss became NaN or infinite. Lower the learning rate (it was {experiment.train.lr:g}) or the "
                "weight of the outlier term, take the margins from this network's energies, and press Start again."
            ) from None
        yield Event("progress", whole, {"steps": whole, "message": "Fitting scorers and measuring."})
        _hand_over(order, experiment, place, training.checkpoint, root, passes)
    shutil.rmtree(place.path / "passes", ignore_errors=True)
    yield Event("finished", whole, {"steps": whole})


def _hand_over(
    order: Mapping[str, Any], experiment: Experiment, place: RunFolder, trained: Path, root: Path | None, passes: Work
) -> None:
    """The result is there as a whole, or not at all."""
    from oodcore.jobs.complete import complete

    after = complete(trained, **order["evaluation"], root=root, work=passes)
    part = place.path / ".result"
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(trained, part / CHECKPOINT)
    _compared(order["evaluation"], experiment, trained, after, root, passes).write(part / COMPARISON)
    part.rename(place.path / "result")


def _compared(
    evaluation: Mapping[str, Any],
    experiment: Experiment,
    trained: Path,
    after: Evaluation,
    root: Path | None,
    passes: Work,
) -> Comparison:
    """Both networks on the same images; those of the trained one are in the cache."""
    from oodcore.checkpoint import folder_of, load
    from oodcore.evaluate import evaluate, fit_panel
    from oodcore.jobs.complete import read_sets, spread_over_classes

    start, end = load(folder_of(str(experiment.model.checkpoint), root)), load(trained)
    sets = read_sets(end.card, evaluation["id_set"], evaluation["ood_sets"], (), root, passes)
    sets = sets.at_most(evaluation.get("limit"))
    bank = sets.train.take(spread_over_classes(sets.train.labels, evaluation.get("bank_rows", 2000)))
    panel = fit_panel(start, bank, sets.calibration, ["energy"], passes)
    before = evaluate(start, panel, sets.test, sets.outside, passes, checkpoint="before")
    images = (sets.test, *sets.outside)
    return Comparison(
        _side(start, before, images, passes), _side(end, after, images, passes), before.report.rows[0].convention
    )


def _side(model: Network, found: Evaluation, images: Any, passes: Work) -> Side:
    from oodcore.evaluate.work import bank_of
    from oodcore.functional import free_energy

    energies = {
        part.name: free_energy(bank_of(model, part, passes).outputs.logits).double().tolist() for part in images
    }
    values = {row.ood_set: dict(row.values) for row in found.report.rows if row.scorer == "energy"}
    return Side(None if found.closed_set is None else found.closed_set.accuracy, energies, values)
