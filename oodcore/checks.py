"""What a careful reader would ask of a result: one function per question, each with a stable code.

    OOD001  scores tie: saturation or coarse rounding
    OOD002  AUROC below one half: is the sign right?
    OOD003  the outliers show classes that the network was trained on
    OOD004  too few outliers for two decimals
    OOD005  AUPR without its OOD share, or compared across shares
    OOD006  bank too small for a covariance
    OOD007  preprocessing was guessed, or is not the checkpoint's own
    OOD008  the outlier prior has zeros: weight 0, or at gamma 0 full weight
    OOD009  test outliers are also auxiliary outliers

A function answers None where there is nothing to say. Everything here speaks; nothing here refuses.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from oodcore.metrics.inputs import Array, as_scores
from oodcore.metrics.intervals import auroc_interval
from oodcore.metrics.levels import count_levels
from oodcore.metrics.ranking import auroc

__all__ = ["Finding", "Preprocessed", "Severity", "aupr_share", "below_chance", "examine", "few_outliers"]
__all__ += ["prior_zeros", "shared_images", "small_bank", "ties", "trained_classes", "unsure_preprocessing"]

Severity = Literal["note", "warning", "error"]
ENOUGH_OUTLIERS = 1000
ROWS_PER_DIMENSION = 5
TIED_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a reader of a result should know.

    Args:
        code: `"OOD001"` to `"OOD009"`, for good.
        severity: "note" explains, "warning" casts doubt on the number, "error" makes it meaningless.
        sentence: What was seen, with its numbers.
        advice: What to do about it.
    """

    code: str
    severity: Severity
    sentence: str
    advice: str

    def __str__(self) -> str:
        return f"{self.code} ({self.severity}): {self.sentence} {self.advice}"


@runtime_checkable
class Preprocessed(Protocol):
    """Preprocessing that knows whether it was guessed."""

    @property
    def assumed(self) -> bool: ...


def examine(id_scores: Array, ood_scores: Array, /) -> tuple[Finding, ...]:
    """Every question that two sets of scores can answer.

    Raises:
        ScoreError: see `metrics.auroc`.
    """
    found = (
        ties(id_scores, ood_scores),
        below_chance(id_scores, ood_scores),
        few_outliers(len(as_scores(ood_scores, "ood_scores"))),
    )
    return tuple(finding for finding in found if finding is not None)


def ties(id_scores: Array, ood_scores: Array, /) -> Finding | None:
    """OOD001: more than 1 % of the scores equal another one."""
    counts = np.add(*count_levels(id_scores, ood_scores))
    share = counts[counts > 1].sum() / counts.sum()
    if share <= TIED_SHARE:
        return None
    return Finding(
        "OOD001",
        "warning" if counts.max() > TIED_SHARE * counts.sum() else "note",
        f"{share:.0%} of the scores equal another one; the largest group holds {counts.max():,} of {counts.sum():,}.",
        "A threshold cannot split a tie. Score in float64 and in log space, or use an unsaturated scorer.",
    )


def below_chance(id_scores: Array, ood_scores: Array, /) -> Finding | None:
    """OOD002: ID scores higher than OOD."""
    value = auroc(id_scores, ood_scores)
    if value >= 0.5:
        return None
    interval = auroc_interval(id_scores, ood_scores)
    if interval.high >= 0.5:
        return Finding(
            "OOD002",
            "note",
            f"AUROC is {value:.1%}, which coin tossing explains ({interval.low:.1%} to {interval.high:.1%}).",
            "This scorer sees no difference between the two sets.",
        )
    return Finding(
        "OOD002",
        "warning",
        f"AUROC is {value:.1%}, below one half beyond chance ({interval.low:.1%} to {interval.high:.1%}).",
        "Scores must be higher for OOD: check the sign. If it is right, this scorer finds the outliers more typical "
        "than ID, as happens with outliers simpler than ID.",
    )


def trained_classes(id_classes: Iterable[str], ood_classes: Iterable[str], /) -> Finding | None:
    """OOD003: class names of the outliers, written in any case and with any separator, are ID classes."""
    known = {_plain(name) for name in id_classes}
    shared = sorted({name for name in ood_classes if _plain(name) in known})
    if not shared:
        return None
    return Finding(
        "OOD003",
        "warning",
        f"The outliers show {len(shared)} {'class' if len(shared) == 1 else 'classes'} that the network was trained "
        f"on: {_some(shared)}.",
        "Leave those pictures out, or count them as ID (metrics.scood_merge).",
    )


def few_outliers(count: int, /) -> Finding | None:
    """OOD004: fewer than 1,000 outliers."""
    if count >= ENOUGH_OUTLIERS:
        return None
    return Finding(
        "OOD004",
        "note",
        f"Only {count:,} outliers were scored; one of them moves recall by {1 / max(count, 1):.2%}.",
        f"Read the interval, not the decimals, or score at least {ENOUGH_OUTLIERS:,}.",
    )


def aupr_share(shares: Sequence[float | None], /) -> Finding | None:
    """OOD005: AUPRs that stand side by side; `shares` are their OOD shares, None where unknown."""
    stated = sorted({round(share, 3) for share in shares if share is not None})
    unknown = sum(share is None for share in shares)
    if unknown:
        sentence = f"{unknown} of {len(shares)} AUPR values come without the share of OOD samples."
    elif len(stated) > 1:
        sentence = f"AUPR values were taken at OOD shares from {stated[0]:.1%} to {stated[-1]:.1%}."
    else:
        return None
    return Finding(
        "OOD005",
        "note",
        sentence,
        "AUPR depends on the share (97.7 became 79.2 on one score set): compare AUPR at equal shares only, "
        "or compare AUROC.",
    )


def small_bank(rows: int, dimensions: int, /) -> Finding | None:
    """OOD006: fewer than 5 rows per feature dimension, for scorers that estimate a covariance."""
    if rows >= ROWS_PER_DIMENSION * dimensions:
        return None
    return Finding(
        "OOD006",
        "warning",
        f"The bank has {rows:,} rows for {dimensions:,} feature dimensions; a covariance wants "
        f"{ROWS_PER_DIMENSION * dimensions:,}.",
        "Collect more ID training images, or use a scorer without a covariance, as energy or knn.",
    )


def unsure_preprocessing(used: Preprocessed, card: object | None = None, /) -> Finding | None:
    """OOD007: `used` was guessed, or differs from what the checkpoint's card asks for."""
    advice = (
        "Set mean, standard deviation, size and coding as in training, with `ood checkpoints import` or with "
        "`preprocessing` in Python: wrong ones shift every score."
    )
    if card is not None and used != card:
        return Finding("OOD007", "warning", f"Images were prepared as {used}, the card says {card}.", advice)
    if used.assumed:
        return Finding("OOD007", "warning", f"The weights name no preprocessing: {used}.", advice)
    return None


def prior_zeros(counts: Array, gamma: float, /, *, zero_stays_zero: bool = False) -> Finding | None:
    """OOD008: a class that no outlier was assigned to has weight 0 at every gamma above 0, and full weight at 0."""
    empty = int((as_scores(counts, "counts") == 0).sum())
    if not empty:
        return None
    who = f"No outlier was assigned to {empty} of {len(counts)} classes"
    if gamma == 0 and not zero_stays_zero:
        return Finding(
            "OOD008",
            "note",
            f"{who}, which weigh as much as all others at gamma = 0 (0^0 = 1), and nothing at any gamma above 0.",
            "Set zero_stays_zero if such classes should take no part.",
        )
    jump = "" if zero_stays_zero else " and jumps to that of the others at gamma = 0"
    return Finding(
        "OOD008",
        "note",
        f"{who}, whose weight stays 0 at gamma = {gamma:g}{jump}.",
        "Draw more outliers, or add one to each count, if such classes should take part.",
    )


def shared_images(auxiliary: Iterable[str], test: Mapping[str, Iterable[str]], /) -> Finding | None:
    """OOD009: content hashes that training outliers share with test sets, `{set name: hashes}`."""
    seen = set(auxiliary)
    shared = {name: len(seen.intersection(hashes)) for name, hashes in test.items()}
    hit = [f"{count:,} in {name}" for name, count in shared.items() if count]
    if not hit:
        return None
    return Finding(
        "OOD009",
        "error",
        f"Test outliers were also training outliers: {_some(hit)}.",
        "Remove them from either side; the network has been told the answer.",
    )


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _some(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
