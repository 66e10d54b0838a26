"""Training, alone or against outliers, as a generator: the caller owns the loop, there are no callbacks.

SGD with Nesterov momentum under a cosine to zero over the steps really taken, as in the reference code of Outlier
Exposure (Hendrycks et al., ICLR 2019, arXiv:1812.04606) and energy fine-tuning (github.com/wetliu/energy_ood).
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR

from oodcore.data import ArraySet, augment
from oodcore.errors import DataError, OODError
from oodcore.models import Network

__all__ = ["DivergedError", "Recipe", "Step", "outlier_exposure", "train"]

Terms = dict[str, Tensor]


class DivergedError(OODError, ArithmeticError):
    """The loss is no longer a number."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long, how fast and in which order.

    Args:
        epochs: Sweeps over the in-distribution images; each leaves out what does not fill a batch.
        lr: Learning rate of the first step.
        batch: In-distribution images per step.
        outlier_batch: Outliers per step.
        outlier_weight: Weight of the outlier exposure term.
        momentum: Of Nesterov's kind.
        weight_decay: On every parameter.
        pad: Border of the random crop, in pixels; 0 only mirrors.
        seed: Decides order, crops and mirror images; the weights come from the caller.
    """

    epochs: int = 3
    lr: float = 0.1
    batch: int = 64
    outlier_batch: int = 128
    outlier_weight: float = 0.5
    momentum: float = 0.9
    weight_decay: float = 5e-4
    pad: int = 4
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One update, detached; reading a float from it is what costs a device sync.

    Args:
        index: Counts from 0.
        terms: Weighted scalars; their sum is what was minimised.
        lr: Learning rate of this update.
    """

    index: int
    terms: Terms
    lr: float


def train(
    model: Network, inliers: ArraySet, outliers: ArraySet | None = None, /, recipe: Recipe | None = None
) -> Iterator[Step]:
    """Yield after every update, so that a progress bar, a live chart, saving and stopping are plain `for` bodies.

    Inliers and outliers share one forward pass, so batch norm sees the mixture; outliers cycle on their own.
    The body may evaluate the model: every step sets training mode again.

    Raises:
        DataError: fewer images than one batch, or an image without a class.
        DivergedError: the loss is not finite; the weights are those before that step.
    """
    recipe = recipe or Recipe()
    require_batch(inliers, recipe.batch)
    if outliers is not None:
        require_batch(outliers, recipe.outlier_batch)
    if int(inliers.labels.min()) < 0:
        raise DataError(f"'{inliers.name}' has images without a class. Train on in-distribution images only.")
    generator = torch.Generator().manual_seed(recipe.seed)
    steps = recipe.epochs * (len(inliers) // recipe.batch)
    inside = shuffled(inliers, recipe.batch, generator)
    outside = itertools.repeat(None) if outliers is None else shuffled(outliers, recipe.outlier_batch, generator)
    optimizer = SGD(
        model.parameters(), recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True
    )
    schedule = CosineAnnealingLR(optimizer, steps)
    for index, rows, others in zip(range(steps), inside, outside, strict=False):
        images = inliers.images[rows]
        if outliers is not None and others is not None:
            images = torch.cat([images, outliers.images[others]])
        model.train()
        logits = model(model.transform.normalise(augment(images, generator, pad=recipe.pad))).logits
        terms = outlier_exposure(logits, inliers.labels[rows], recipe.outlier_weight)
        optimizer.zero_grad()
        checked(terms, index, recipe).backward()
        optimizer.step()
        yield Step(index, {name: term.detach() for name, term in terms.items()}, float(schedule.get_last_lr()[0]))
        schedule.step()


def require_batch(images: ArraySet, size: int) -> None:
    """Raise DataError where not one batch of this size can be filled."""
    if not 1 <= size <= len(images):
        raise DataError(f"A batch of {size} does not fit '{images.name}' with its {len(images)} images.")


def shuffled(images: ArraySet, size: int, generator: torch.Generator) -> Iterator[Int64[Tensor, " size"]]:
    """Endless batches of row numbers, on the images' device; every sweep is a new order without what fills no batch."""
    while True:
        order = torch.randperm(len(images), generator=generator).to(images.images.device)
        yield from order[: len(order) // size * size].split(size)


def outlier_exposure(logits: Float[Tensor, "n k"], labels: Int64[Tensor, " b"], weight: float = 0.5) -> Terms:
    r"""Cross-entropy on the first `b` rows; on the rest $w\cdot\frac1m\sum (\mathrm{logsumexp} f - \bar f)$.

    The second term is cross-entropy to the uniform distribution (Hendrycks et al., ICLR 2019, §4.3).
    """
    inside, outside = logits[: len(labels)], logits[len(labels) :]
    terms = {"cross_entropy": cross_entropy(inside, labels)}
    if len(outside):
        terms["outlier_exposure"] = weight * (outside.logsumexp(dim=1) - outside.mean(dim=1)).mean()
    return terms


def checked(terms: Terms, index: int, recipe: Recipe) -> Float[Tensor, ""]:
    """The sum of the terms, once it is known to be finite.

    Raises:
        DivergedError: it is not.
    """
    total = torch.stack(list(terms.values())).sum()
    if not bool(total.isfinite()):
        shown = ", ".join(f"{name}={term.item():.4g}" for name, term in terms.items())
        raise DivergedError(
            f"The loss is {total.item()} at step {index} ({shown}). Try a lower learning rate than {recipe.lr:g}."
        )
    return total
