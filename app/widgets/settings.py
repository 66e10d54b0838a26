"""Settings of a training in words, wherever two of them are compared."""

import re
from typing import Any

from app.widgets.jobs import duration
from app.widgets.sets import auxiliary_title

__all__ = ["LOSSES", "TITLES", "sentence", "title", "told", "value", "worded"]

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
    "margins.alpha_gap": "Gap for which alpha was chosen",
    "budget.steps": "Steps in all",
    "budget.seconds": "Time it took",
    "budget.device": "Trained on",
}
"""Settings in words. Others only follow from these, or say how a run was carried out, and are left out."""
SENTENCES = {
    "train.steps": "Updates of the weights. Few are quick to watch; published runs take many thousands: of 128 images "
    "each, 371 are one sweep over CIFAR-10.",
    "train.lr": "How far each update goes at the start. Too high, and the loss becomes NaN.",
    "train.lr_end": "From step to step the learning rate falls along a cosine, and ends here.",
    "train.batch": "How many known images each update looks at. More make it steadier and slower.",
    "train.outlier_batch": "How many outliers each update looks at beside the known images.",
    "train.momentum": "How much of the last update is carried into the next: 0 is nothing; it must be below 1.",
    "train.weight_decay": "Every update also pulls all weights, except class centres, a little towards 0. 0 pulls at "
    "none.",
    "train.pad": "Each training image is shifted at random by up to so many pixels; what comes in is black. 0 leaves "
    "images where they are.",
    "train.flip": "Half of the training images, drawn anew each time, are mirrored left to right.",
    "train.batch_norm": "“joint”, as published, normalises known images and outliers together; the averages that are "
    "kept are then mostly the outliers’. “separate” normalises each by itself and keeps those of known images. "
    "“frozen” uses and keeps those of the checkpoint.",
    "train.trainable": "“all” trains every weight. “norms+head” trains the last layer and the scale and shift of the "
    "normalisations; all else stays as it is.",
    "train.precision": "“32-true” computes in full precision. “bf16-mixed” and “16-mixed” compute the network in half "
    "precision, which is faster on many GPUs; “16-mixed” works on GPUs alone.",
    "train.ema": "The nearer to 1, the more steps the weights are averaged over; the average is validated and kept. 0 "
    "keeps the weights of the last step.",
    "train.seed": "Decides the order of the images, their shifts and mirroring. Other seeds show how much is chance.",
    "loss.weight": "How much both energy terms count beside the cross-entropy. 0 leaves them out; 0.1 is usual.",
    "loss.margin_in": "Energies of known images are pushed below it ($m_{in}$). Published: −23 (CIFAR-10), −27 "
    "(CIFAR-100).",
    "loss.margin_out": "Energies of outliers are pushed above it ($m_{out}$), so it is the upper one. Published: −5.",
    "loss.alpha": "How far the outer margin rises for outliers of crowded classes, in units of energy ($\\alpha$). 0 "
    "lets it be.",
    "loss.gamma_weight": "The higher, the more outliers of crowded classes count beside others. Left empty, it is the "
    "gamma of the margin, as in all published settings.",
    "loss.detach_margin": "On, the network cannot lower its loss by making an outlier look less crowded, and so its "
    "margin lower. Published: off.",
    "loss.detach_weight": "On, the network cannot lower its loss by making an outlier look less crowded, and so count "
    "less. Published: off.",
    "loss.zero_stays_zero": "Matters at gamma 0 alone: classes for which no outlier is taken then count nothing, "
    "instead of as much as all others.",
    "loss.weight_cluster": "How much it counts that known images lie near the centre of their class. 0 leaves it out.",
    "loss.weight_push": "How much it counts that outliers lie far from all class centres. 0 leaves it out.",
    "loss.reading": "The loss is known from an abstract, which can be read in three ways. A tells classes apart and "
    "draws images to their centre; B only draws them; C tells each centre from the rest, and needs cosines.",
    "loss.distance": "How far an image lies from a centre: by the angle between them (“cosine”) or the square of the "
    "straight line (“euclidean”). Cosines suit features that are never negative, as behind a ReLU.",
    "loss.temperature": "The lower, the more only the nearest centre counts. Left empty, it is 0.1 with cosines and 1 "
    "with Euclidean distances.",
    "loss.pull": "How much the distance to the own centre counts by itself, in reading A; at 0, clusters stay wide. "
    "Left empty, it is 0.5 with cosines and 0.05 with Euclidean distances.",
    "loss.margin_push": "Outliers are pushed from the centres until their representation score reaches it. Left "
    "empty, it is 1 with cosines; with Euclidean distances it lies above nearly all known images.",
    "loss.width": "Centres and distances live in a space of so many dimensions, to which features are projected.",
    "loss.warm_up": "For so many steps outliers do not count, and class centres settle. It must be fewer than all "
    "steps.",
    "loss.seed": "Decides the projection with which the training begins.",
    "margins.inside": "This percentile of known images’ energies becomes the inner margin; those above it are "
    "pushed down.",
    "margins.outside": "This percentile of held-out outliers’ energies becomes the outer margin; those below are "
    "pushed up.",
    "margins.alpha_gap": "Alpha grows and shrinks with the gap that is measured, and holds as it stands at this one: "
    "published for 18. Left empty, it is used as it stands.",
}
"""What each number on the Fine-tune page does."""
OF_LOSS = {
    ("outlier_exposure", "loss.weight"): "How much outliers count beside the cross-entropy. 0 leaves them out; 0.5 is "
    "published.",
    ("balanced_energy", "loss.gamma"): "How much the crowd matters: at 0 all classes are alike, at 1 the counts of "
    "outliers are taken as they are, above 1 the crowd stands out more.",
    ("semantic_energy", "loss.gamma"): "The higher, the less those images count that are near their centre already. At "
    "0 all count alike.",
}
"""The same where it depends on the loss."""
NAME = re.compile(r"\b(?:(train|loss|margins)\.)?([a-z]+(?:_[a-z]+)*)\b(?= (must|cannot)\b)?")
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


def sentence(key: str, loss: str) -> str:
    """What a number of the Fine-tune page does; "" where nobody wrote it down.

    Args:
        key: Its place, as "loss.gamma".
        loss: The loss that it is trained with.
    """
    return OF_LOSS.get((loss, key)) or SENTENCES.get(key, "")


def worded(problem: str, loss: str) -> str:
    """A sentence of the code, with settings called as on the page.

    A plain word, as weight, is taken for a setting only where the sentence says what it must be.

    Args:
        problem: The sentence.
        loss: The loss that it is about.
    """

    def called(found: re.Match[str]) -> str:
        table, name, judged = found.groups()
        places = [f"{each}.{name}" for each in ("train", "loss", "margins") if table in (None, each)]
        key = next((place for place in places if place in TITLES), None)
        coded = table or judged or "_" in name or name == "lr"
        return f"“{title(key, loss)}”" if key and coded else found.group()

    return NAME.sub(called, problem)


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
