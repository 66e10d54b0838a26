"""From an experiment to what can be trained: images, network, measured margins, prior, fitted loss."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from oodcore.checkpoint import load
from oodcore.config import MARGINS, Experiment
from oodcore.data import ArraySet, ImageSet, Preprocessing
from oodcore.data.transforms import CIFAR_MEAN, CIFAR_STD
from oodcore.errors import DataError
from oodcore.evaluate import Work
from oodcore.evaluate.work import spread_rows
from oodcore.functional import free_energy
from oodcore.jobs.images import Images, Sources, read_inliers, require_auxiliary
from oodcore.losses import Loss, Objective
from oodcore.models import Network, build
from oodcore.models.collect import collect
from oodcore.priors import outlier_counts
from oodcore.records import Bank
from oodcore.train.loop import require_trainable, steps_of
from oodcore.train.margins import Suggestion, suggest

__all__ = ["Measured", "Prepared", "prepare"]


@dataclass(frozen=True, slots=True)
class Measured:
    """What the network of the start and the images decided; a resumed run takes it from the folder.

    Args:
        loss: The loss's name and options as they are used, measured margins included.
        prior: Outliers per class under the network of the start, over the whole training part; where the loss asks.
        held_out: Which outliers validate, in words.
        digests: Hash of the content of each part of the images.
    """

    loss: Mapping[str, Any]
    prior: list[int] | None = None
    held_out: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Measured":
        """The way back from `dataclasses.asdict`.

        Raises:
            DataError: these are other values.
        """
        try:
            return cls(**values)
        except TypeError:
            raise DataError("What was measured for this run is damaged. Choose another folder.") from None

    @property
    def options(self) -> dict[str, Any]:
        """Of the loss."""
        return {name: value for name, value in self.loss.items() if name != "name"}


@dataclass(frozen=True)
class Prepared:
    """Everything that a run needs.

    Args:
        model: The network, with the weights of the start.
        objective: The fitted loss.
        images: What is trained and validated on.
        measured: What was found on the way.
    """

    model: Network
    objective: Objective
    images: Images
    measured: Measured


def prepare(
    experiment: Experiment,
    root: Path | None = None,
    work: Work | None = None,
    *,
    device: torch.device | str | None = None,
    known: Measured | None = None,
    processes: int = 1,
) -> Prepared:
    """Open, load, refuse what cannot work, measure and fit.

    Args:
        experiment: What is to be run.
        root: Folder of the image sets; see `oodcore.data.roots`.
        work: How passes over images are run.
        device: Where they are run; the network comes back to the CPU.
        known: Of an earlier start: nothing is measured again. Weights and class centres are then taken from its state.
        processes: That will share each batch.

    Raises:
        DataError, CheckpointError, ScoreError, UnknownNameError: the sentence says what is missing or does not fit.
    """
    work = work or Work()
    require_rule(experiment)
    require_auxiliary(experiment)
    sources = Sources(experiment, root, work)
    inliers = read_inliers(experiment, sources.read)
    model = network_of(experiment, inliers.train, root)
    images = sources.images(inliers, model.transform)
    trained = replace(images, outliers=limited(images.outliers, experiment.data.outlier_limit))
    require_trainable(trained.inliers, trained.outliers, len(model.classes), experiment.train, processes)
    steps = steps_of(trained.inliers, experiment.train)
    require_end_of_warm_up(experiment, steps)
    ruler = Ruler(experiment, model, images, work, device)
    if known is not None:
        require_unchanged(images, known)
        loss = experiment.make_loss(**known.options)
        return Prepared(model, loss.fit(ruler.evidence(loss, known.prior, shape_only=True)), trained, known)
    sources.require_apart(images, model.transform)
    loss = experiment.make_loss(**ruler.margins(), **usual_warm_up(experiment, steps))
    prior = ruler.prior() if loss.about.evidence == "outlier prior" else None
    objective = loss.fit(ruler.evidence(loss, prior))
    used = {"name": experiment.loss, **options_of(loss, objective)}
    return Prepared(model, objective, trained, Measured(used, prior, images.rule, images.digests))


@dataclass(frozen=True)
class Ruler:
    """Measures with the network of the start."""

    experiment: Experiment
    model: Network
    images: Images
    work: Work
    device: torch.device | str | None

    def bank(self, images: ImageSet) -> Bank:
        """Outputs of every image."""
        tell = self.work.telling(f"Collecting {images.name}")
        return collect(
            self.model,
            images,
            batch_size=self.work.batch_size,
            norms=False,
            device=self.device,
            progress=tell,
            cache=self.work.cache,
        )

    def margins(self) -> dict[str, float]:
        """Options of the loss that its table leaves to the network's energies; margins that it gives stand."""
        experiment, rule, held_out = self.experiment, self.experiment.margins, self.images.held_out
        if rule is None or held_out is None:
            return {}
        loss = vars_of(experiment.make_loss())
        if experiment.gives_margins:
            found = Suggestion(*(loss[name] for name in MARGINS))
        else:
            parts = self.images.calibration, held_out
            inside, outside = (free_energy(self.bank(part).outputs.logits) for part in parts)
            found = suggest(inside, outside, inside=rule.inside, outside=rule.outside)
        options = found._asdict()
        return options if rule.alpha_gap is None else options | {"alpha": found.alpha(loss["alpha"], rule.alpha_gap)}

    def prior(self) -> list[int] | None:
        """Outliers per class, where there are outliers."""
        outliers = self.images.outliers
        return None if outliers is None else outlier_counts(self.bank(outliers)).tolist()

    def evidence(self, loss: Loss, prior: list[int] | None, *, shape_only: bool = False) -> Tensor | Bank | None:
        """What the loss learns from; a bank of one image per class gives the shape of what a state will fill."""
        inliers, wanted = self.images.inliers, loss.about.evidence
        if wanted == "outlier prior":
            return None if prior is None else torch.tensor(prior)
        if wanted == "class prior":
            return torch.bincount(inliers.labels, minlength=len(self.model.classes))
        if wanted == "bank":
            return self.bank(first_of_each(inliers) if shape_only else inliers)
        return None


def require_rule(experiment: Experiment) -> None:
    """Before anything is measured: margins are for losses that have them.

    Raises:
        DataError: percentiles for a loss without margins, or without outliers to compare with.
    """
    if experiment.margins is None:
        return
    options = vars_of(experiment.make_loss())
    needed = ["margin_in", "margin_out", *([] if experiment.margins.alpha_gap is None else ["alpha"])]
    if missing := [name for name in needed if name not in options]:
        raise DataError(f"[margins] sets {' and '.join(missing)}, which '{experiment.loss}' does not have.")
    if experiment.data.outliers is None:
        raise DataError("[margins] compares with auxiliary outliers: name them with outliers in [data].")


def require_end_of_warm_up(experiment: Experiment, steps: int) -> None:
    """A run that is over before its warm-up has looked at outliers for nothing.

    Raises:
        DataError: every step would be the warm-up that was asked for; the sentence names a number that fits.
    """
    warm_up = experiment.loss_options.get("warm_up", 0)
    if 0 < warm_up >= steps:
        raise DataError(
            f"'{experiment.loss}' pushes no outlier for its first {warm_up:,} steps, and the run has {steps:,}: they "
            f"would never count. Train longer, or set loss.warm_up lower, as {steps // 5}."
        )


def usual_warm_up(experiment: Experiment, steps: int) -> dict[str, int]:
    """The loss's own warm-up, or a fifth of the run where that is less; nothing where the table gives one."""
    usual = vars_of(experiment.make_loss()).get("warm_up")
    given = "warm_up" in experiment.loss_options
    return {} if usual is None or given else {"warm_up": min(usual, steps // 5)}


def require_unchanged(images: Images, known: Measured) -> None:
    """A run goes on with the images it began with.

    Raises:
        DataError: the content of a part is another.
    """
    for name, digest in images.digests.items():
        if known.digests.get(name) != digest:
            raise DataError(
                f"'{name}' is not what it was when this run began. Bring those images back, or choose another folder."
            )


def network_of(experiment: Experiment, inliers: ImageSet, root: Path | None = None) -> Network:
    """With the weights of the start; class centres of an earlier training are left behind, as features will move.

    Raises:
        CheckpointError, UnknownNameError: no such checkpoint or architecture.
        DataError: a checkpoint that knows other classes, or beside it what only fresh weights take.
    """
    start = experiment.model
    if start.checkpoint is None:
        return fresh(experiment, inliers)
    if given := [name for name in ("options", "coding", "mean", "std") if getattr(start, name)]:
        raise DataError(
            f"[model] {' and '.join(given)} would be left unused: they describe fresh weights, and "
            f"'{start.checkpoint}' brings its own. Leave them out."
        )
    model = load(start.checkpoint, root=root)
    if model.classes != inliers.classes:
        raise DataError(
            f"'{start.checkpoint}' knows {len(model.classes)} classes ({', '.join(model.classes[:3])}, …), "
            f"'{inliers.name}' shows {len(inliers.classes)} ({', '.join(inliers.classes[:3])}, …)."
        )
    model.projection = model.centers = None
    return model


def fresh(experiment: Experiment, inliers: ImageSet) -> Network:
    """Weights drawn from the run's seed; input as the training images are, 32×32 where they are files of any size."""
    start, usual = experiment.model, Preprocessing()
    torch.manual_seed(experiment.train.seed)
    model = build(str(start.architecture), inliers.classes, **start.options)
    model.transform = Preprocessing(
        size=min(inliers.images.shape[2:]) if isinstance(inliers, ArraySet) else usual.size,
        mean=start.mean or CIFAR_MEAN,
        std=start.std or CIFAR_STD,
        coding=start.coding or inliers.coding,
    )
    return model


def limited(outliers: ArraySet | None, most: int | None) -> ArraySet | None:
    """At most so many, evenly spread."""
    if outliers is None or most is None:
        return outliers
    return outliers.take(spread_rows(len(outliers), most))


def options_of(loss: Loss, objective: Objective) -> dict[str, Any]:
    """The loss's options; what it left to its evidence is taken from the fitted one."""
    return {name: getattr(objective, name, None) if value is None else value for name, value in vars_of(loss).items()}


def vars_of(loss: Loss) -> dict[str, Any]:
    """Options by name."""
    return {each.name: getattr(loss, each.name) for each in fields(loss)}  # type: ignore[arg-type]


def first_of_each(images: ArraySet) -> ArraySet:
    """One image of every class."""
    labels = images.labels.tolist()
    return images.take([labels.index(label) for label in sorted(set(labels))])
