"""Outliers and what a network takes them for: found among what is shipped, what jobs have counted, and the reference.

Everything is keyed by content: weights and preprocessing, the set, and where its numbers come from.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import torch
from jaxtyping import Float32, Int64, UInt16
from torch import Tensor

from app.services import jobs
from app.services.memory import Memory
from app.services.resources import Exhibit, is_auxiliary
from oodcore import checkpoint
from oodcore.checkpoint.layout import OUTLIERS
from oodcore.checks import Finding, prior_zeros, trained_classes, unsure_preprocessing
from oodcore.data import Entry, entries, entry
from oodcore.errors import OODError
from oodcore.evaluate.census import Census, load_censuses
from oodcore.jobs.job import key_of
from oodcore.jobs.kinds.prior import order_for, result_of
from oodcore.jobs.queue import Job
from oodcore.losses.balanced_energy import BalancedEnergy, BalancedEnergyObjective
from oodcore.models.fingerprint import weights_hash
from oodcore.priors import outlier_counts, softmax_average, temper
from oodcore.train.margins import Suggestion, suggest

__all__ = ["DRAWN", "GAMMAS", "IMBALANCES", "Margins", "Source", "Tables", "at", "counts_so_far", "findings", "margins"]
__all__ += ["numbers", "objective", "offered", "order", "ordered", "points", "source", "tables"]

DRAWN = "shapes-aux"
"""The set whose kinds are as frequent as one likes."""

GAMMAS = (
    0.0,
    0.005,
    0.01,
    *(round(0.025 * step, 3) for step in range(1, 81)),
    *(2 + 0.1 * step for step in range(1, 11)),
)
IMBALANCES = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 70.0, 100.0)
FULL = 65535
PUBLISHED = Suggestion(-23.0, -5.0)


@dataclass(frozen=True)
class Source:
    """Outliers of one set under one network.

    Args:
        census: What was counted.
        words: Where the numbers come from.
        key: Stands for all of it.
        of_reference: Whether the pictures are those of a reference's rows.
        measured: How many images that reference measured.
        beside: The auxiliary sets of that reference.
    """

    census: Census
    words: str
    key: str
    of_reference: bool = False
    measured: int = 0
    beside: tuple[str, ...] = ()

    @property
    def tunable(self) -> bool:
        """Whether the imbalance can be chosen: every picture of the drawn set was kept, as many of each kind."""
        return self.census.name == DRAWN and len(self.census.rows) == self.census.images and not self.of_reference


class Margins(NamedTuple):
    """Where the energies of a network should lie, and alpha on their scale; `words` say who says so."""

    inside: float
    outside: float
    alpha: float
    words: str


@dataclass(frozen=True)
class Tables:
    """What the page draws, for every imbalance and every exponent.

    Args:
        counts: Outliers per class, for each imbalance.
        average: Mean softmax, for each imbalance.
        tempered: Shares, for each imbalance and exponent.
        taken: How many of each kind, for each imbalance; None where it cannot be chosen.
        energies: Of the outliers that are drawn.
        shares: Softmax of each, 0..65535.
        labels: The class that each is taken for.
        kinds: Which of the set's own classes each is of; 0 where the imbalance cannot be chosen.
        ranks: Place of each among those of its kind; 0 likewise.
    """

    counts: list[list[int]]
    average: list[list[float]]
    tempered: Float32[np.ndarray, "levels gammas k"]
    taken: list[list[int]] | None
    energies: Float32[np.ndarray, " m"]
    shares: UInt16[np.ndarray, "m k"]
    labels: Int64[np.ndarray, " m"]
    kinds: Int64[np.ndarray, " m"]
    ranks: Int64[np.ndarray, " m"]


def offered(folder: Path, shown: Exhibit) -> list[str]:
    """Names of sets: shipped ones first, then other auxiliary ones, at last those that are for tests alone."""
    auxiliary = [name for name in shown.outliers if is_auxiliary(name)]
    known = [each.name for each in entries() if each.role == "auxiliary"]
    return list(dict.fromkeys([*_censuses(folder, shown), *auxiliary, *known, *shown.outliers]))


def source(folder: Path, shown: Exhibit, name: str) -> Source | None:
    """The numbers of one set; None where they have to be counted first.

    Raises:
        CheckpointError: a file of the checkpoint is damaged.
    """
    if (found := _SOURCES.get((shown.key, name))) is not None:
        return found
    found = _shipped(folder, shown, name) or _counted(folder, shown, name)
    if found is not None:
        return _SOURCES.put((shown.key, name), found)
    return _referred(shown, name)


_SOURCES: Memory[tuple[str, str], Source] = Memory(64)


def _shipped(folder: Path, shown: Exhibit, name: str) -> Source | None:
    census = _censuses(folder, shown).get(name)
    if census is None:
        return None
    words = f"counted over all {census.images:,} pictures, shipped with the checkpoint"
    return Source(census, words, f"{shown.key} {name}")


def _censuses(folder: Path, shown: Exhibit) -> dict[str, Census]:
    """Those that lie with the checkpoint; the card has the hash of their file."""
    card = getattr(shown.model, "card", None)
    stamp = "" if card is None else card.sha256.get(OUTLIERS, "")
    return _CENSUSES.find((shown.key, stamp), lambda: load_censuses(folder) if stamp else {})


_CENSUSES: Memory[tuple[str, str], dict[str, Census]] = Memory(32)


def _counted(folder: Path, shown: Exhibit, name: str) -> Source | None:
    done = jobs.queue().finished("prior", order(folder, shown, name))
    if done is None:
        return None
    census = result_of(done.result, name)
    return Source(census, f"counted on this server over all {census.images:,} pictures", f"{shown.key} {name}")


def _referred(shown: Exhibit, name: str) -> Source | None:
    """The kept rows of a reference: fewer, but there at once."""
    bank = shown.reference.get(name)
    if bank is None or name == shown.known:
        return None
    logits, rows = bank.outputs.logits, torch.arange(len(bank))
    absent = torch.full((len(bank),), -1)
    census = Census(name, "", (), outlier_counts(logits), softmax_average(logits), rows, absent, logits)
    return Source(
        census,
        f"a sample of {len(bank):,}, shipped with the checkpoint",
        f"{shown.key} {name} reference",
        of_reference=True,
        measured=shown.measured[name],
        beside=tuple(other for other in shown.reference if is_auxiliary(other)),
    )


def order(folder: Path, shown: Exhibit, name: str) -> dict[str, str]:
    """The job that counts a set."""
    return order_for(folder.resolve(), weights_hash(shown.model), name, _part(entry(name), name))


def ordered(folder: Path, shown: Exhibit, name: str) -> Job | None:
    """The newest job that was to count this set, however it stands."""
    key = key_of("prior", order(folder, shown, name))
    return next((job for job in jobs.queue().jobs() if job.kind == "prior" and job.key == key), None)


def counts_so_far(job: Job) -> list[int]:
    """Of the outliers that a job has counted, how many were taken for each class; empty before the first second.

    A job that was stopped and started again counts anew; what it told before lies beyond where it is.
    """
    step = job.standing.step
    told = (event for event in reversed(jobs.events(job)) if "counts" in event and event["step"] <= step)
    return next((event["counts"] for event in told), [])


def _part(known: Entry, name: str) -> str:
    """What networks train on; of the drawn set with free imbalance the small part, where all pictures are kept."""
    return "test" if name == DRAWN or "train" not in known.splits else "train"


def tables(found: Source) -> Tables:
    """See `Tables`; made once for each source."""
    return _tables(found, found.key)


@st.cache_resource(max_entries=64, show_spinner=False)
def _tables(_found: Source, key: str) -> Tables:
    census = _found.census
    parts = [at(_found, level) for level in IMBALANCES] if _found.tunable else [census]
    tempered = [torch.stack([temper(part.counts, gamma) for gamma in GAMMAS]) for part in parts]
    kinds = census.labels if _found.tunable else torch.zeros_like(census.labels)
    ranks = torch.zeros_like(kinds)
    for kind in range(len(census.kinds) if _found.tunable else 0):
        ranks[kinds == kind] = torch.arange(int((kinds == kind).sum()))
    return Tables(
        counts=[part.counts.tolist() for part in parts],
        average=[part.average.tolist() for part in parts],
        tempered=torch.stack(tempered).float().numpy(),
        taken=[part.labels.bincount(minlength=len(census.kinds)).tolist() for part in parts]
        if _found.tunable
        else None,
        energies=census.energies.numpy(),
        shares=(census.logits.double().softmax(dim=1) * FULL).round().numpy().astype(np.uint16),
        labels=census.logits.argmax(dim=1).numpy(),
        kinds=kinds.numpy(),
        ranks=ranks.numpy(),
    )


def at(found: Source, imbalance: float) -> Census:
    """The census at one imbalance; as it is where that cannot be chosen."""
    return found.census.thinned(imbalance) if found.tunable else found.census


def margins(folder: Path, shown: Exhibit, found: Source) -> Margins:
    """Those with which the network was fine-tuned, or those that its energies suggest."""
    return _MARGINS.find(found.key, lambda: _margins(folder, shown, found))


_MARGINS: Memory[str, Margins] = Memory(64)


def _margins(folder: Path, shown: Exhibit, found: Source) -> Margins:
    loss, classes = _loss(shown), len(shown.model.classes)
    if "margin_in" in loss:
        pair = Suggestion(float(loss["margin_in"]), float(loss["margin_out"]))
        return Margins(*pair, float(loss.get("alpha", pair.alpha(classes))), "those with which it was fine-tuned")
    if shown.known is None:
        return Margins(*PUBLISHED, PUBLISHED.alpha(classes), "the published ones, which may not fit this network")
    energies = checkpoint.load_energies(folder)[shown.known]
    try:
        pair = suggest(energies, found.census.energies)
    except OODError:
        return Margins(*PUBLISHED, PUBLISHED.alpha(classes), "the published ones: its own energies suggest none")
    words = "suggested by its energies: the 25th percentile of known images, the 75th of these outliers"
    return Margins(*pair, pair.alpha(classes), words)


def _loss(shown: Exhibit) -> dict[str, Any]:
    card = getattr(shown.model, "card", None)
    loss = None if card is None else card.recipe.get("loss")
    return dict(loss) if isinstance(loss, dict) else {}


def objective(
    counts: Int64[Tensor, " k"], where: Margins, gamma: float, weight: float | None, alpha: float
) -> BalancedEnergyObjective:
    """The loss as a fine-tuning would use it."""
    loss = BalancedEnergy(
        margin_in=where.inside, margin_out=where.outside, alpha=alpha, gamma=gamma, gamma_weight=weight
    )
    return loss.fit(counts)


def numbers(shown: Exhibit, census: Census, fitted: BalancedEnergyObjective) -> dict[str, list[object]]:
    """Everything that is drawn by class, in the order of the classes."""
    return {
        "class": list(shown.model.classes),
        "outliers": census.counts.tolist(),
        "share of outliers": temper(census.counts, 1.0).tolist(),
        "softmax average": census.average.tolist(),
        "tempered prior": fitted.margin_prior.tolist(),
        "margin": fitted.class_margins.tolist(),
        "weight": fitted.class_weights.tolist(),
    }


def points(shown: Exhibit, census: Census, fitted: BalancedEnergyObjective) -> dict[str, list[object]]:
    """Every outlier that is drawn: the class it is taken for, energy, Z, margin, and what the loss does to it."""
    shares, classes = census.logits.double().softmax(dim=1), shown.model.classes
    numbers = {"energy": census.energies, "Z": fitted.crowding(shares), "margin": fitted.margins(shares)}
    return {
        "class": [classes[label] for label in census.logits.argmax(dim=1).tolist()],
        **{title: [float(f"{value:.6g}") for value in found.tolist()] for title, found in numbers.items()},
        "loss": ["pushes it up" if low else "leaves it alone" for low in fitted.pushed(census.logits).tolist()],
    }


def findings(shown: Exhibit, census: Census, gamma: float) -> list[Finding]:
    """What a careful reader would ask."""
    found = (
        prior_zeros(census.counts, gamma),
        trained_classes(shown.model.classes, census.kinds),
        unsure_preprocessing(shown.model.transform),
    )
    return [finding for finding in found if finding is not None]
