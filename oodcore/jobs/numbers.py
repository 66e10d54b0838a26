"""Measured numbers as a card keeps them: one entry each, with its sets, sizes and convention."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from jaxtyping import Float64, Int64
from torch import Tensor

from oodcore.evaluate import ClosedSet
from oodcore.metrics import TailAccuracy, tail_accuracy
from oodcore.panel import FittedPanel
from oodcore.priors import logit_adjust
from oodcore.records import Bank
from oodcore.report import Row

__all__ = ["ACCEPT", "closed_set_numbers", "false_alarms", "rank_numbers"]

ACCEPT = 0.95
REPORTED = ("auroc", "fpr95_ood_positive", "fpr95_id_positive")

Entry = dict[str, Any]


def closed_set_numbers(
    test: str, found: ClosedSet, bank: Bank, class_counts: Int64[Tensor, " k"] | None
) -> list[Entry]:
    """Accuracy and calibration error; after training on a long tail also by frequency, and adjusted for it.

    Args:
        test: Name of the test set with its split.
        found: Accuracy and calibration error there.
        bank: Its outputs.
        class_counts: Training images per class where they form a long tail.
    """
    inside = {"set": test, "n": found.n}
    entries = [
        {"name": "accuracy", "value": found.accuracy, **inside},
        {"name": "ece", "value": found.ece, **inside},
    ]
    if class_counts is None:
        return entries
    known = bank.take(bank.labels >= 0)
    adjusted = logit_adjust(known.outputs.logits.double(), class_counts)
    plain = _by_frequency("accuracy", tail_accuracy(known.outputs.logits, known.labels, class_counts))
    corrected = _by_frequency("accuracy_adjusted", tail_accuracy(adjusted, known.labels, class_counts))
    corrected["accuracy_adjusted"] = tail_accuracy(adjusted, known.labels, class_counts).overall
    return entries + [{"name": name, "value": value, **inside} for name, value in {**plain, **corrected}.items()]


def rank_numbers(rows: Iterable[Row]) -> list[Entry]:
    """AUROC with its interval and both false-positive rates, of every scorer on every set."""
    entries: list[Entry] = []
    for row in rows:
        sets = {"id_set": f"{row.id_set}/test", "ood_set": f"{row.ood_set}/test", "n_id": row.n_id, "n_ood": row.n_ood}
        for metric in REPORTED:
            interval = row.intervals.get(metric)
            spread = {} if interval is None else {"interval": interval._asdict()}
            value = {"name": metric, "scorer": row.scorer, "value": row.values[metric], **sets, **spread}
            entries.append(value | {"convention": asdict(row.convention)})
    return entries


def false_alarms(test: str, panel: FittedPanel, scores: Mapping[str, Float64[Tensor, " n"]]) -> list[Entry]:
    """How many test pictures the thresholds of the calibration split really flag."""
    return [
        {
            "name": f"false alarms at {ACCEPT:.0%} acceptance",
            "scorer": name,
            "value": panel.calibrations[name].is_ood(values, ACCEPT).double().mean().item(),
            "set": test,
            "n": len(values),
        }
        for name, values in scores.items()
    ]


def _by_frequency(name: str, found: TailAccuracy) -> dict[str, float]:
    groups = {"many": found.many, "medium": found.medium, "few": found.few}
    return {f"{name}_{group}": value for group, value in groups.items() if value is not None}
