"""How long, how fast, in which order: everything about a training run except network, data and loss."""

from dataclasses import dataclass
from typing import Literal, get_args

from oodcore.errors import DataError

__all__ = ["BatchNorm", "Precision", "Recipe", "Trainable"]

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
BatchNorm = Literal["joint", "separate", "frozen"]
Trainable = Literal["all", "norms+head"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of the optimisation; the defaults are those of energy fine-tuning (Liu et al., NeurIPS 2020).

    Args:
        epochs: Sweeps over the in-distribution images; each leaves out what does not fill a batch.
        steps: Updates, instead of epochs.
        lr: Learning rate at the start of the cosine, above 0.
        lr_end: Learning rate at the end of the cosine.
        batch: In-distribution images per update, over all processes.
        outlier_batch: Outliers per update, over all processes.
        momentum: How much of the last update is taken along; of Nesterov's kind, 0 to below 1.
        weight_decay: Pulls every parameter towards 0, except class centres.
        pad: Border of the random crop, in pixels.
        flip: Mirror each image with probability ½; without, and with pad 0, images are left as they are.
        batch_norm: "joint" normalises inliers and outliers together, as published, so that running statistics are
            mostly the outliers'; "separate" normalises each by itself and keeps the inliers' statistics; "frozen" uses
            and keeps those of before. Statistics of a batch are each process's own.
        trainable: "norms+head" trains scale and shift of batch norm, and the last layer; all else is in eval mode.
        precision: "bf16-mixed" and "16-mixed" compute the network in half precision, the loss in float32.
        channels_last: Memory layout that convolutions like better.
        compile: Let `torch.compile` make the network faster; the first step takes a minute then.
        accumulate: Each update sums so many passes over parts of the batch; normalisations are each part's own.
        ema: Decay of an exponential moving average of the weights, which is then what is validated and kept; 0: none.
        seed: Decides order, crops, mirror images and dropout; the weights at the start come from the caller.

    Raises:
        DataError: a value out of its range.
    """

    epochs: int = 10
    steps: int | None = None
    lr: float = 1e-3
    lr_end: float = 1e-6
    batch: int = 128
    outlier_batch: int = 256
    momentum: float = 0.9
    weight_decay: float = 5e-4
    pad: int = 4
    flip: bool = True
    batch_norm: BatchNorm = "joint"
    trainable: Trainable = "all"
    precision: Precision = "32-true"
    channels_last: bool = True
    compile: bool = False
    accumulate: int = 1
    ema: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "outlier_batch", "accumulate", *(["steps"] if self.steps is not None else [])):
            if getattr(self, name) < 1:
                raise DataError(f"{name} must be at least 1; got {getattr(self, name)}.")
        if not 0 < self.lr < float("inf") or not 0 <= self.lr_end <= self.lr:
            raise DataError(f"lr must be above 0 and lr_end between 0 and lr; got {self.lr:g} and {self.lr_end:g}.")
        for name in ("momentum", "ema"):
            if not 0 <= getattr(self, name) < 1:
                raise DataError(f"{name} must lie in 0 to below 1; got {getattr(self, name):g}.")
        if not 0 <= self.weight_decay < float("inf") or self.pad < 0:
            raise DataError(f"weight_decay and pad must be 0 or more; got {self.weight_decay:g} and {self.pad}.")
        if self.batch % self.accumulate or self.outlier_batch % self.accumulate:
            raise DataError(
                f"accumulate must divide both batches; got {self.accumulate} for {self.batch} and {self.outlier_batch}."
            )
        for name, kind in (("batch_norm", BatchNorm), ("trainable", Trainable), ("precision", Precision)):
            if getattr(self, name) not in get_args(kind):
                raise DataError(f"{name} must be one of {', '.join(get_args(kind))}; got '{getattr(self, name)}'.")
