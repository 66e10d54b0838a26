"""Settings of a training in words, wherever two of them are compared."""

from typing import Any

from app.widgets.jobs import duration
from app.widgets.sets import auxiliary_title

__all__ = ["LOSSES", "TITLES", "title", "told", "value"]

LOSSES = {
    "cross_entropy": "cross-entropy alone",
    "logit_adjusted": "logit-adjusted cross-entropy",
    "energy": "energy margins against outliers",
    "balanced_energy": "balanced energy margins against outliers",
    "outlier_exposure": "outlier exposure",
    "semantic_energy": "class centres and energy margins",
}
TITLES = {
    "architecture": "Network",
    "classes": "Classes",
    "options.dropout": "Dropout",
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
    "loss.margin_in": "Inner margin",
    "loss.margin_out": "Outer margin",
    "loss.tau": "Tau: strength of the adjustment to rare classes",
    "loss.alpha": "Alpha, rise of the margin",
    "loss.gamma": "Gamma",
    "loss.gamma_weight": "Gamma in the weight",
    "loss.detach_margin": "No gradient through the margin",
    "loss.detach_weight": "No gradient through the weight",
    "loss.zero_stays_zero": "Empty classes weigh nothing",
    "loss.weight_cluster": "Weight of the pull to centres",
    "loss.weight_push": "Weight of the push from centres",
    "loss.reading": "Reading of the published loss",
    "loss.distance": "Distance to the centres",
    "loss.temperature": "Temperature",
    "loss.pull": "Strength of the pull",
    "loss.margin_push": "Margin of the push",
    "loss.width": "Embedding dimensions",
    "loss.warm_up": "Warm-up steps",
    "loss.seed": "Seed of the embedding",
    "train.epochs": "Epochs",
    "train.steps": "Steps",
    "train.lr": "Learning rate",
    "train.lr_end": "Learning rate at the end",
    "train.batch": "Known images per update",
    "train.outlier_batch": "Outliers per update",
    "train.momentum": "Momentum",
    "train.weight_decay": "Weight decay",
    "train.pad": "Border of the random crop, pixels",
    "train.flip": "Mirror at random",
    "train.batch_norm": "Batch normalisation",
    "train.trainable": "What is trained",
    "train.precision": "Precision",
    "train.ema": "Averaging of the weights",
    "margins.inside": "Inner margin, percentile",
    "margins.outside": "Outer margin, percentile",
    "margins.alpha_gap": "Gap between the margins that alpha was published for",
    "budget.steps": "Steps in all",
    "budget.seconds": "Time it took",
    "budget.device": "Trained on",
}
"""Settings in words. Others only follow from these, or say how a run was carried out, and are left out."""
OPTION = "options."
GAMMAS = {"balanced_energy": "Gamma, power of the prior", "semantic_energy": "Focus on far images"}
"""The same letter, but beside class centres it has nothing to do with a prior."""


def title(key: str, loss: str | None = None) -> str:
    """What a setting is called; one without words of its own takes those of its last part, or the key itself.

    Args:
        key: Its place, as "loss.gamma".
        loss: The loss, where all that are shown have the same.
    """
    if key == "loss.gamma" and loss in GAMMAS:
        return GAMMAS[loss]
    last = key.rpartition(".")[2]
    return TITLES.get(key) or TITLES.get(last) or (last.replace("_", " ") if key.startswith(OPTION) else key)


def told(key: str) -> bool:
    """Whether a comparison tells of it."""
    return key in TITLES or key.startswith(OPTION)


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
