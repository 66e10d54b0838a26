"""Results that pages can show: stores, cards and evaluations as boards, and the scores behind a cell."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import streamlit as st
from jaxtyping import Float
from torch import Tensor

from app.services import jobs, resources
from app.services.cards import card, stamp
from oodcore.checkpoint import Card, load_energies
from oodcore.checkpoint.layout import MODEL, PANEL
from oodcore.errors import CheckpointError, OODError
from oodcore.jobs import boards
from oodcore.jobs.kinds.evaluate import kept_scores, measured_weights
from oodcore.jobs.queue import Job
from oodcore.jobs.store import Store
from oodcore.metrics.curves import Densities, Line, densities, precision_recall_line, roc_line
from oodcore.metrics.levels import Positive
from oodcore.metrics.ranking import Interpolation, Rule
from oodcore.metrics.summary import ood_metrics
from oodcore.report.board import Board, Result
from oodcore.report.matrix import Place
from oodcore.report.row import Convention

__all__ = [
    "Behind", "Curves", "Seed", "Shelf", "behind", "cards", "curves", "drawable", "evaluations", "seeds", "shelf",
    "with_scorers",
]  # fmt: skip

EVALUATE = "evaluate"


class Shelf(NamedTuple):
    """What can be shown, by name, and sentences about what cannot."""

    boards: dict[str, Board]
    notes: tuple[str, ...]


class Behind(NamedTuple):
    """The scores of one network, scorer and test set.

    Args:
        known: Of ID images, higher is more out-of-distribution.
        outliers: Of OOD images.
        words: Where they are from, for people.
        whole: Whether they are all scores that the stored number was taken from.
        key: Stands for them.
    """

    known: Float[Tensor, " n"]
    outliers: Float[Tensor, " m"]
    words: str
    whole: bool
    key: tuple[str, ...]


class Seed(NamedTuple):
    """One training of a network.

    Args:
        result: On one test set.
        jobs: Evaluations of its weights, the one that the board shows first.
        checkpoint: Name of a checkpoint with these weights, or None.
    """

    result: Result
    jobs: tuple[Job, ...]
    checkpoint: str | None


class Curves(NamedTuple):
    """What is drawn of one cell.

    Args:
        metrics: By the names of `metrics.ood_metrics`.
        densities: Of both sets.
        roc: Through all thresholds.
        ranked: Precision over recall.
    """

    metrics: dict[str, float | int | str]
    densities: Densities
    roc: Line
    ranked: Line


def shelf(also: str = "") -> Shelf:
    """Stores first, then what cards say besides, then this visitor's evaluations.

    Args:
        also: Id of a job that a link names, whoever's it is.
    """
    found: list[Board] = []
    notes: list[str] = []
    for folder in boards.store_folders():
        try:
            found += _of_store(folder, _files(folder))
        except OODError as problem:
            notes.append(str(problem))
    known = {result.weights for board in found for result in board.results}
    found += boards.of_cards(cards(), known)
    for job in evaluations(also):
        if job.standing.state == "finished":
            try:
                found.append(_of_job(job.id, job.title, job.result))
            except OODError as problem:
                notes.append(str(problem))
    return Shelf({board.name: board for board in found}, tuple(notes))


def cards() -> dict[str, Card]:
    """Of every checkpoint here that has a readable one."""
    found = {}
    for name, folder in resources.folders().items():
        try:
            found[name] = card(folder)
        except (CheckpointError, OSError):
            continue  # its own page says what is wrong with it
    return found


def with_scorers() -> dict[str, Card]:
    """Of the checkpoints that can be measured."""
    return {name: found for name, found in cards().items() if PANEL in found.sha256}


def evaluations(also: str = "") -> list[Job]:
    """Of this visitor, and the one that a link names; newest first."""
    owner = jobs.owner()
    return [job for job in jobs.queue().jobs() if job.kind == EVALUATE and (job.id == also or job.owned_by(owner))]


def seeds(board: Board, results: Sequence[Result]) -> list[Seed]:
    """Those of the trainings whose scores may be here: evaluations hold their weights, or a checkpoint does.

    Args:
        board: On which they stand.
        results: One for each seed.
    """
    done = [job for job in evaluations(board.name) if job.standing.state == "finished"]
    measured = [(job, _weights(job.id, job.result)) for job in sorted(done, key=lambda job: job.id != board.name)]
    names = {found.sha256.get(MODEL): name for name, found in reversed(cards().items())}
    found = [
        Seed(result, tuple(job for job, weights in measured if result.weights in weights), names.get(result.weights))
        for result in results
        if result.weights
    ]
    return [seed for seed in found if seed.jobs or seed.checkpoint]


def behind(board: Board, seed: Seed, scorer: str) -> Behind | None:
    """The scores of a cell: of an evaluation with the same weights, else of the checkpoint's own reference.

    Args:
        board: On which the cell stands.
        seed: The training.
        scorer: Its name.
    """
    result = seed.result
    for job in seed.jobs:
        asked = (job.id, result.weights, board.id_set, result.test, scorer)
        if (found := _kept(*asked, job.result)) is not None:
            whole = (len(found[0]), len(found[1])) == (board.n_id, result.n_ood)
            return Behind(*found, f"Every image that '{job.title}' scored on this server", whole, asked)
    return None if seed.checkpoint is None else _of_reference(seed.checkpoint, board, result, scorer)


def drawable(board: Board, place: Place) -> bool:
    """Whether scores behind a cell are here; of a mean, those on its first set."""
    scorer = board.scorer(place.network, place.scorer)
    results = board.results_of(place.network, place.scorer, board.members(place.test)[0])
    return scorer is not None and any(behind(board, seed, scorer) for seed in seeds(board, results))


def curves(found: Behind, how: Convention, positive: Positive) -> Curves:
    """What is drawn of these scores; computed once for each cell and convention."""
    return _curves(found.key, how.recall, how.rule, how.interpolation, positive, found)


@st.cache_resource(max_entries=128, show_spinner=False)
def _curves(
    key: Sequence[str], recall: float, rule: Rule, interpolation: Interpolation, positive: Positive, _found: Behind
) -> Curves:
    known, outliers = _found.known, _found.outliers
    return Curves(
        ood_metrics(known, outliers, recall=recall, rule=rule, interpolation=interpolation),
        densities(known, outliers),
        roc_line(known, outliers, positive),
        precision_recall_line(known, outliers, positive),
    )


def _of_reference(name: str, board: Board, result: Result, scorer: str) -> Behind | None:
    folder, sets = resources.folders()[name], (board.id_set, result.test)
    content = str(stamp(folder))
    energies = _energies(folder, content) if scorer == "energy" else {}
    if set(sets) <= energies.keys():
        known, outliers = (energies[each] for each in sets)
        words, key = f"The energy of every image, kept with the checkpoint '{name}'", ("energies", name, content, *sets)
    elif (scores := _reference_scores(name, content, scorer, sets)) is not None:
        known, outliers = scores
        words = f"The reference images kept with the checkpoint '{name}', at most 1,000 of each set"
        key = (scorer, name, content, *sets)
    else:
        return None
    whole = (len(known), len(outliers)) == (board.n_id, result.n_ood)
    return Behind(known, outliers, words, whole, key)


@st.cache_resource(max_entries=256, show_spinner=False)
def _weights(job: str, _result: Path) -> frozenset[str]:
    return measured_weights(_result)  # a finished job's result never changes


@st.cache_resource(max_entries=256, show_spinner=False)
def _kept(
    job: str, weights: str, id_set: str, test: str, scorer: str, _result: Path
) -> tuple[Float[Tensor, " n"], Float[Tensor, " m"]] | None:
    return kept_scores(_result, weights, id_set, test, scorer)


@st.cache_resource(max_entries=16, show_spinner=False)
def _energies(folder: Path, content: str) -> dict[str, Float[Tensor, " n"]]:
    return dict(load_energies(folder))


@st.cache_resource(max_entries=256, show_spinner=False)
def _reference_scores(
    name: str, content: str, scorer: str, sets: Sequence[str]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " m"]] | None:
    """Of the two sets with one scorer; None where it is not fitted, needs the images, or a set is not kept."""
    shown = resources.exhibit(resources.folders()[name])
    if shown.panel is None or scorer not in shown.panel.halves()[0].names or not set(sets) <= shown.reference.keys():
        return None
    one = shown.panel.subset([scorer])
    known, outliers = (one(shown.reference[each].outputs)[scorer] for each in sets)
    return known, outliers


def _files(folder: Path) -> tuple[tuple[str, int, int], ...]:
    return tuple(_stamp(path) for path in sorted(folder.glob("[!.]*.parquet")))


def _stamp(path: Path) -> tuple[str, int, int]:
    """Stands for the content: results are replaced as a whole, never written into."""
    about = path.stat()
    return path.name, about.st_size, about.st_mtime_ns


@st.cache_resource(max_entries=16, show_spinner=False)
def _of_store(folder: Path, files: tuple[tuple[str, int, int], ...]) -> list[Board]:
    return boards.of_store(Store(folder).read(), folder.name)


@st.cache_resource(max_entries=64, show_spinner=False)
def _of_job(name: str, title: str, result: Path) -> Board:
    """A finished job's result never changes."""
    return boards.of_evaluation(result, name, title)
