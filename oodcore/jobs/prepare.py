"""From an experiment to what can be trained: images, network, measured margins, prior, fitted loss."""

from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from oodcore.checkpoint import load
from oodcore.config import Experiment
from oodcore.data import ArraySet, ImageSet, Preprocessing, check_disjoint, entries, long_tail, open_set
from oodcore.data.transforms import CIFAR_MEAN, CIFAR_STD
from oodcore.errors import DataError
from oodcore.evaluate import Work
from oodcore.evaluate.work import bank_of, spread_rows
from oodcore.functional import free_energy
from oodcore.losses import Objective
from oodcore.models import Network, build
from oodcore.priors import outlier_counts
from oodcore.records import Bank
from oodcore.train.margins import Suggestion, suggest

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """Everything that a run needs.

    Args:
        model: The network, with the weights of the start.
        objective: The fitted loss.
        inliers: Training images.
        outliers: Auxiliary training images.
        calibration: In-distribution images for validation.
        held_out: Auxiliary outliers for validation.
        prior: Outliers per class under the network of the start, over the whole auxiliary set.
        margins: What the network's energies suggest, where asked for.
        settings: The loss's options as they are used, measured ones included.
    """

    model: Network
    objective: Objective
    inliers: ArraySet
    outliers: ArraySet | None
    calibration: ImageSet
    held_out: ImageSet | None
    prior: Int64[Tensor, " k"] | None
    margins: Suggestion | None
    settings: dict[str, Any]


def prepare(experiment: Experiment, root: Path | None = None, work: Work | None = None) -> Prepared:
    """Open, load, measure and fit.

    Args:
        experiment: What is to be run.
        root: Folder of the image sets; see `oodcore.data.roots`.
        work: How passes over images are run.

    Raises:
        DataError, CheckpointError, ScoreError, UnknownNameError: the sentence says what is missing or does not fit.
    """
    work, data = work or Work(), experiment.data
    read = partial(_read, root=root, work=work)
    inliers = in_memory(read(data.inliers, data.split))
    if data.long_tail is not None:
        inliers = long_tail(inliers, data.long_tail)
    model = _network(experiment, inliers)
    calibration = read(data.inliers, "calibration")
    outliers = None if data.outliers is None else in_memory(read(data.outliers, "train"))
    held_out = None if data.outliers is None else _held_out(experiment, read)
    if outliers is not None:
        _require_apart(outliers, experiment, model, read)
    margins = _margins(experiment, model, calibration, held_out, work)
    settings = _settings(experiment, margins)
    loss = experiment.make_loss(**settings)
    prior = None
    if outliers is not None:
        prior = outlier_counts(bank_of(model, outliers, work))
    evidence = _evidence(loss.about.evidence, prior, inliers, model, work)
    if outliers is not None and data.outlier_limit is not None:
        outliers = outliers.take(spread_rows(len(outliers), data.outlier_limit))
    options = {each.name: getattr(loss, each.name) for each in fields(loss)}  # type: ignore[arg-type]
    return Prepared(
        model,
        loss.fit(evidence),
        inliers,
        outliers,
        calibration,
        held_out,
        prior,
        margins,
        {"name": experiment.loss} | options,
    )


def _evidence(wanted: str, prior: Tensor | None, inliers: ArraySet, model: Network, work: Work) -> Tensor | Bank | None:
    """What the loss learns from; a bank is collected only where it is wanted."""
    if wanted == "outlier prior":
        return prior
    if wanted == "class prior":
        return torch.bincount(inliers.labels, minlength=len(model.classes))
    return bank_of(model, inliers, work) if wanted == "bank" else None


def in_memory(images: ImageSet) -> ArraySet:
    """Images as one tensor.

    Raises:
        DataError: a set of files, which training does not read.
    """
    if not isinstance(images, ArraySet):
        raise DataError(
            f"'{images.name}' is read file by file; training needs its images in memory, at one size. "
            "Pack it as an .npz of uint8 images first."
        )
    return images


def _read(name: str, split: str, *, root: Path | None, work: Work) -> ImageSet:
    return open_set(name, split, root, work.telling(f"Reading {name} {split}"))


def _network(experiment: Experiment, inliers: ArraySet) -> Network:
    start = experiment.model
    if start.checkpoint is not None:
        model = load(start.checkpoint)
        if model.classes != inliers.classes:
            raise DataError(
                f"'{start.checkpoint}' knows {len(model.classes)} classes ({', '.join(model.classes[:3])}, …), "
                f"'{inliers.name}' shows {len(inliers.classes)} ({', '.join(inliers.classes[:3])}, …)."
            )
        return model
    torch.manual_seed(experiment.train.seed)
    fresh = build(str(start.architecture), inliers.classes, **start.options)
    fresh.transform = Preprocessing(
        size=inliers.images.shape[2],
        mean=start.mean or CIFAR_MEAN,
        std=start.std or CIFAR_STD,
        coding=start.coding or inliers.coding,
    )
    return fresh


def _held_out(experiment: Experiment, read: Any) -> ImageSet | None:
    """The auxiliary split for validation; another one that is not trained on where it has no such one; or none."""
    from oodcore.data import entry

    name, wanted = str(experiment.data.outliers), experiment.validation.outlier_split
    there = [split for split in (wanted, "calibration", "test") if split in entry(name).splits]
    return read(name, there[0]) if there else None


def _require_apart(outliers: ArraySet, experiment: Experiment, model: Network, read: Any) -> None:
    """No test image among the training outliers; classes that the manifest excludes are dropped by evaluations."""
    from oodcore.data import drop_excluded

    names = experiment.data.not_tested
    if "all" in names:
        names = tuple(
            each.name for each in entries() if each.role in ("near", "far") and each.coding == outliers.coding
        )
        names = tuple(name for name in names if _here(name, read))
    for name in names:
        check_disjoint(
            outliers, drop_excluded(read(name, "test"), outliers.name, read.keywords["root"]), model.transform
        )


def _here(name: str, read: Any) -> bool:
    from oodcore.data import entry

    return entry(name).present(read.keywords["root"]) and bool(entry(name).needs)


def _margins(
    experiment: Experiment, model: Network, calibration: ImageSet, held_out: ImageSet | None, work: Work
) -> Suggestion | None:
    rule = experiment.margins
    if rule is None:
        return None
    if held_out is None:
        raise DataError(
            "[margins] compares with auxiliary outliers that are not trained on: name a set that has such a split with "
            "outliers in [data], or give margin_in and margin_out in [loss]."
        )
    inside, outside = (free_energy(bank_of(model, images, work).outputs.logits) for images in (calibration, held_out))
    return suggest(inside, outside, inside=rule.inside, outside=rule.outside)


def _settings(experiment: Experiment, margins: Suggestion | None) -> dict[str, Any]:
    if margins is None:
        return {}
    changes: dict[str, Any] = {"margin_in": margins.margin_in, "margin_out": margins.margin_out}
    gap = experiment.margins.alpha_gap if experiment.margins else None
    if gap is not None:
        changes["alpha"] = getattr(experiment.make_loss(), "alpha") * margins.gap / gap  # noqa: B009
    return changes
