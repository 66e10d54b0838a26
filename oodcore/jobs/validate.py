"""How good a network is now, on images that are neither trained on nor tested."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from jaxtyping import Float
from torch import Tensor

from oodcore.data import ImageSet
from oodcore.evaluate.work import spread_rows
from oodcore.functional import free_energy
from oodcore.jobs.images import Images
from oodcore.metrics import accuracy, auroc, fpr_at_recall
from oodcore.models import Network
from oodcore.models.collect import collect
from oodcore.report import Convention

__all__ = ["metrics_of", "validate"]

LIMIT = 2500


def validate(
    model: Network, calibration: ImageSet, held_out: ImageSet | None = None, limit: int = LIMIT
) -> dict[str, float]:
    """Accuracy on calibration images; AUROC and FPR95 of the energy against held-out auxiliary outliers.

    Both false-positive rates at 95 % recall are there: of outliers when ID is kept, and of ID when outliers are caught.

    Args:
        model: Its training mode is as before afterwards.
        calibration: In-distribution images with their classes.
        held_out: Outliers that are not trained on.
        limit: At most so many images of each side, evenly spread.
    """
    logits, labels = _part(model, calibration, limit)
    values = {"accuracy": accuracy(logits, labels)}
    if held_out is not None:
        inside, outside = free_energy(logits), free_energy(_part(model, held_out, limit)[0])
        values["auroc"] = auroc(inside, outside)
        values["fpr95_id_positive"] = fpr_at_recall(inside, outside, positive="id")
        values["fpr95_ood_positive"] = fpr_at_recall(inside, outside, positive="ood")
    return values


def metrics_of(values: Mapping[str, float], images: Images, limit: int) -> list[dict[str, Any]]:
    """The same numbers as a card lists them: with their sets and conventions."""
    inside, n = f"{images.calibration.name}/calibration", min(limit, len(images.calibration))
    found: list[dict[str, Any]] = [{"name": "accuracy", "value": values["accuracy"], "set": inside, "n": n}]
    if images.held_out is not None:
        sets = {"id_set": inside, "ood_set": images.rule, "n_id": n, "n_ood": min(limit, len(images.held_out))}
        about = {"scorer": "energy", **sets, "convention": asdict(Convention())}
        found += [{"name": name, "value": value, **about} for name, value in values.items() if name != "accuracy"]
    return found


def _part(model: Network, images: ImageSet, limit: int) -> tuple[Float[Tensor, "n k"], Tensor]:
    bank = collect(model, images.take(spread_rows(len(images), limit)), norms=False)
    return bank.outputs.logits, bank.labels
