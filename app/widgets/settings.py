"""Settings of a training in words, wherever two of them are compared."""

from typing import Any

from app.widgets.jobs import duration
from app.widgets.sets import auxiliary_title

__all__ = ["LOSSES", "TITLES", "value"]

LOSSES = {
    "cross_entropy": "cross-entropy alone",
    "energy": "energy margins against outliers",
    "balanced_energy": "balanced energy margins against outliers",
    "outlier_exposure": "outlier exposure",
    "semantic_energy": "class centres and energy margins",
}
TITLES = {
    "architecture": "Network",
    "classes": "Classes",
    "preprocessing.size": "Side of the input, pixels",
    "preprocessing.resize": "Resized to, pixels",
    "preprocessing.interpolation": "Resized by",
    "preprocessing.mean": "Mean per channel",
    "preprocessing.std": "Standard deviation per channel",
    "preprocessing.coding": "Coding of its pictures",
    "parent": "Made from",
    "seed": "Seed",
    "data.inliers": "Known images",
    "data.outliers": "Auxiliary outliers",
    "data.long_tail": "Long tail of the classes, largest to smallest",
    "data.outlier_limit": "Auxiliary outliers at most",
    "loss.name": "Loss",
    "loss.weight": "Weight of the outlier term",
    "loss.margin_in": "Inner energy margin",
    "loss.margin_out": "Outer energy margin",
    "loss.alpha": "Alpha: rise of the margin with crowding",
    "loss.gamma": "Gamma: power of the prior",
    "loss.detach_margin": "Margin without gradient",
    "loss.detach_weight": "Weight without gradient",
    "loss.gamma_weight": "Gamma in the weight",
    "loss.weight_cluster": "Weight of the pull to class centres",
    "loss.weight_push": "Weight of the push away from centres",
    "loss.distance": "Distance to the centres",
    "loss.width": "Embedding dimensions",
    "loss.warm_up": "Warm-up steps",
    "train.epochs": "Epochs",
    "train.steps": "Steps",
    "train.lr": "Learning rate",
    "train.lr_end": "Learning rate at the end",
    "train.batch": "Known images per update",
    "train.outlier_batch": "Outliers per update",
    "train.momentum": "Momentum",
    "train.weight_decay": "Weight decay",
    "train.pad": "Border of the random crop, pixels",
    "train.flip": "Mirrored at random",
    "train.batch_norm": "Batch normalisation",
    "train.trainable": "Trained part",
    "train.precision": "Precision",
    "train.ema": "Averaging of the weights",
    "margins.inside": "Inner margin from percentile",
    "margins.outside": "Outer margin from percentile",
    "margins.alpha_gap": "Gap between the margins that alpha was published for",
    "budget.steps": "Steps in all",
    "budget.seconds": "Time it took",
    "budget.device": "Trained on",
}
"""Settings in words. Others only follow from these, or say how a run was carried out, and are left out."""


def value(key: str, given: Any) -> str:
    """A value in words; "–" where the checkpoint does not have it."""
    if given is None:
        return "–"
    if key == "loss.name":
        return LOSSES.get(given, str(given))
    if key in ("data.inliers", "data.outliers"):
        return auxiliary_title(str(given))
    if key == "budget.seconds":
        return duration(given)
    if isinstance(given, bool):
        return "yes" if given else "no"
    if isinstance(given, list):
        return ", ".join(value(key, each) for each in given)
    return f"{given:.4g}" if isinstance(given, float) else str(given)
