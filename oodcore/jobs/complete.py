"""From a trained network to a checkpoint that says what it can: panel, thresholds, reference, measured numbers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from oodcore.checkpoint import Card, folder_of, load, save
from oodcore.data import ImageSet, drop_excluded, open_set
from oodcore.errors import DataError
from oodcore.evaluate import Evaluation, Work, as_trained, choose, evaluate, fit_panel, tail_of
from oodcore.evaluate.pictures import HELD_OUT
from oodcore.evaluate.work import bank_of, scores_of, spread_rows
from oodcore.jobs.images import catalogued
from oodcore.jobs.numbers import ACCEPT, closed_set_numbers, false_alarms, rank_numbers
from oodcore.models import Network
from oodcore.panel import FittedPanel
from oodcore.priors import outlier_counts

__all__ = ["complete"]


def complete(
    folder: Path | str,
    *,
    id_set: str,
    ood_sets: Sequence[str],
    auxiliary: Sequence[str] = (),
    scorers: Sequence[str] | str = "all",
    without: Sequence[str] = (),
    bank_rows: int = 2000,
    limit: int | None = None,
    root: Path | None = None,
    work: Work | None = None,
    device: str | None = None,
) -> Evaluation:
    """Fit, calibrate and measure; the folder is replaced as a whole by one with panel, reference and numbers.

    Every set passes through the network once. The scorers learn from training images, evenly spread over the classes,
    of the long tail that the card tells of; thresholds come from the calibration split.

    Args:
        folder: A checkpoint: weights and card.
        id_set: In-distribution set with the splits train, calibration and test.
        ood_sets: Names of test sets.
        auxiliary: Sets of outliers that networks of this comparison are trained with, besides those on the card: test
            classes that name the same thing as one of theirs are left out, and a few of them go into the reference.
        scorers: Names, or `"all"`.
        without: Names to leave out of `"all"`.
        bank_rows: Training images that the scorers learn from.
        limit: Images of every other part, evenly spread; all of them by default.
        root: Folder of the image sets; see `oodcore.data.roots`.
        work: How passes are run.
        device: Where; the first GPU by default, the CPU without one.

    Raises:
        DataError: a set is missing, or a test image is among the outliers of the training.
        CheckpointError, ScoreError, UnknownNameError: see `oodcore.load` and `evaluate`.
    """
    folder = folder_of(folder)
    with remembering(work or Work()) as work:
        place = device or ("cuda" if torch.cuda.is_available() else "cpu")
        model = load(folder).to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
        card: Card = model.card
        sets = read_sets(card, id_set, ood_sets, auxiliary, root, work).at_most(limit)
        names = [name for name in choose(model, scorers).names if name not in without] if without else scorers
        bank = sets.train.take(spread_over_classes(sets.train.labels, bank_rows))
        panel = fit_panel(model, bank, sets.calibration, names, work)
        found = evaluate(
            model, panel, sets.test, sets.outside, work, checkpoint=card.title, auxiliary=list(sets.auxiliary.values())
        )
        shown = (sets.test, *sets.outside, *sets.held_out.values())
        save(
            folder,
            model,
            replace(card, metrics=numbers_of(model, panel, sets, found, work), thresholds=thresholds_of(panel)),
            panel=panel,
            reference={images.name: bank_of(model, images, work) for images in shown},
            prior=prior_of(model, card, sets, work),
        )
    return found


@dataclass(frozen=True)
class Sets:
    """What is needed of each.

    Args:
        train: Images that the network was trained on.
        calibration: In-distribution images that were not trained on.
        test: In-distribution images to report on.
        outside: OOD test sets, without what the auxiliary sets exclude.
        auxiliary: Training outliers by name.
        held_out: The part of each that is not trained on.
        class_counts: Training images per class where they form a long tail.
    """

    train: ImageSet
    calibration: ImageSet
    test: ImageSet
    outside: list[ImageSet]
    auxiliary: dict[str, ImageSet]
    held_out: dict[str, ImageSet]
    class_counts: Int64[Tensor, " k"] | None

    def at_most(self, limit: int | None) -> "Sets":
        """Fewer images to look at; those that are trained with stay whole."""

        def some(images: ImageSet) -> ImageSet:
            return images if limit is None else images.take(spread_over_classes(images.labels, limit))

        held_out = {name: some(images) for name, images in self.held_out.items()}
        return replace(
            self,
            calibration=some(self.calibration),
            test=some(self.test),
            outside=[some(images) for images in self.outside],
            held_out=held_out,
        )


def spread_over_classes(labels: Int64[Tensor, " n"], most: int) -> Int64[Tensor, " rows"]:
    """Rows that are evenly spread over the images in the order of their classes: each class keeps its share."""
    order = labels.cpu().argsort(stable=True)
    return order[spread_rows(len(order), most)].sort().values


def read_sets(
    card: Card, id_set: str, ood_sets: Sequence[str], auxiliary: Sequence[str], root: Path | None, work: Work
) -> Sets:
    """From the catalogue."""

    def read(name: str, split: str) -> ImageSet:
        return open_set(name, split, root, work.telling(f"Reading {name} {split}"))

    train, outliers = as_trained(card, read(id_set, "train")), list(dict.fromkeys([*trained_with(card), *auxiliary]))
    tests = [read(name, "test") for name in ood_sets]
    for name in outliers:
        tests = [drop_excluded(images, name, root) for images in tests]
    return Sets(
        train,
        read(id_set, "calibration"),
        read(id_set, "test"),
        tests,
        {name: read(name, parts_of(name)[0]) for name in outliers},
        {name: read(name, part) for name in outliers if (part := parts_of(name)[1]) is not None},
        None if tail_of(card) is None else torch.bincount(train.labels, minlength=len(train.classes)),
    )


def trained_with(card: Card) -> list[str]:
    """Names of the auxiliary sets in the recipe of a card."""
    settings = card.recipe.get("data")
    name = settings.get("outliers") if isinstance(settings, Mapping) else None
    return [] if name is None else [str(name)]


def parts_of(name: str) -> tuple[str, str | None]:
    """The parts of an auxiliary set that are trained on and held out; a folder of one's own is taken as a whole."""
    if (known := catalogued(name)) is None:
        return "all", None
    return "train", next((part for part in HELD_OUT if part in known.splits), None)


def numbers_of(model: Network, panel: FittedPanel, sets: Sets, found: Evaluation, work: Work) -> list[dict[str, Any]]:
    """Everything for the card."""
    if found.closed_set is None:
        raise DataError(f"The labels of '{sets.test.name}' are not the network's classes, so there is no accuracy.")
    test = f"{sets.test.name}/test"
    return [
        *closed_set_numbers(test, found.closed_set, bank_of(model, sets.test, work), sets.class_counts),
        *rank_numbers(found.report.rows),
        *false_alarms(test, panel, scores_of(panel.subset(quick(panel)), model, sets.test, work)[0]),
    ]


def quick(panel: FittedPanel) -> list[str]:
    """The scorers that need no further pass."""
    return [name for name in panel.names if name not in panel.gradient_names]


def thresholds_of(panel: FittedPanel) -> dict[str, Any]:
    """As a card keeps them."""
    return {
        "scores": panel.thresholds(ACCEPT),
        "acceptance": ACCEPT,
        "calibration": panel.about["calibration"],
    }


def prior_of(model: Network, card: Card, sets: Sets, work: Work) -> Int64[Tensor, " k"] | None:
    """Outliers per class: those with which the network was trained, or what it makes of the auxiliary set itself."""
    if (known := card.recipe.get("outlier_prior")) is not None:
        return torch.tensor(known)
    counted = partial(bank_of, model, work=work)
    return outlier_counts([counted(images) for images in sets.auxiliary.values()]) if sets.auxiliary else None


@contextmanager
def remembering(work: Work) -> Iterator[Work]:
    """The same work, with outputs kept for its duration where they are not kept anyway."""
    if work.cache is not None:
        yield work
        return
    with TemporaryDirectory(prefix="ood-") as folder:
        yield replace(work, cache=Path(folder))
