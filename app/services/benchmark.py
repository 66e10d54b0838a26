"""Results that pages can show: stores, cards and evaluations as boards, and the scores behind a cell."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import streamlit as st
from jaxtyping import Float
from torch import Tensor

from app.services import jobs, resources
from oodcore.checkpoint import Card, load_energies, read_card
from oodcore.checkpoint.layout import CARD, MODEL, PANEL
from oodcore.errors import CheckpointError, OODError
from oodcore.jobs import boards
from oodcore.jobs.kinds.evaluate import kept_scores
from oodcore.jobs.queue import Job
from oodcore.jobs.store import Store
from oodcore.report.board import Board, Result

__all__ = ["Behind", "Shelf", "behind", "cards", "evaluations", "shelf", "with_scorers"]

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
    """

    known: Float[Tensor, " n"]
    outliers: Float[Tensor, " m"]
    words: str
    whole: bool


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
            found[name] = _card(folder, _stamp(folder / CARD))
        except (CheckpointError, OSError):
            continue  # its own page says what is wrong with it
    return found


def with_scorers() -> dict[str, Card]:
    """Of the checkpoints that can be measured."""
    return {name: card for name, card in cards().items() if PANEL in card.sha256}


def evaluations(also: str = "") -> list[Job]:
    """Of this visitor, and the one that a link names; newest first."""
    owner = jobs.owner()
    return [job for job in jobs.queue().jobs() if job.kind == EVALUATE and (job.id == also or job.owned_by(owner))]


def behind(board: Board, result: Result, scorer: str) -> Behind | None:
    """The scores of a cell: of an evaluation with the same weights, else of the checkpoint's own reference.

    Args:
        board: On which the cell stands.
        result: Of one seed.
        scorer: Its name.
    """
    if not result.weights:
        return None
    for job in sorted(evaluations(board.name), key=lambda job: job.id != board.name):
        if job.standing.state == "finished" and (
            found := kept_scores(job.result, result.weights, board.id_set, result.test, scorer)
        ):
            whole = (len(found[0]), len(found[1])) == (board.n_id, result.n_ood)
            return Behind(*found, f"Every image that '{job.title}' scored on this server", whole)
    name = next((name for name, card in cards().items() if card.sha256.get(MODEL) == result.weights), None)
    return None if name is None else _of_reference(name, board, result, scorer)


def _of_reference(name: str, board: Board, result: Result, scorer: str) -> Behind | None:
    folder = resources.folders()[name]
    if scorer == "energy":
        energies = _energies(folder, result.weights)
        if board.id_set in energies and result.test in energies:
            known, outliers = energies[board.id_set], energies[result.test]
            whole = (len(known), len(outliers)) == (board.n_id, result.n_ood)
            return Behind(known, outliers, f"The energy of every image, kept with the checkpoint '{name}'", whole)
    scores = _reference_scores(name, result.weights, scorer, (board.id_set, result.test))
    if scores is None:
        return None
    whole = (len(scores[0]), len(scores[1])) == (board.n_id, result.n_ood)
    return Behind(*scores, f"The reference images kept with the checkpoint '{name}', at most 1,000 of each set", whole)


@st.cache_resource(max_entries=16, show_spinner=False)
def _energies(folder: Path, weights: str) -> dict[str, Float[Tensor, " n"]]:
    """`weights` stands for the content."""
    return dict(load_energies(folder))


@st.cache_resource(max_entries=256, show_spinner=False)
def _reference_scores(
    name: str, weights: str, scorer: str, sets: Sequence[str]
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
    """Stands for the content: cards and results are replaced as a whole, never written into."""
    about = path.stat()
    return path.name, about.st_size, about.st_mtime_ns


@st.cache_resource(max_entries=16, show_spinner=False)
def _of_store(folder: Path, files: tuple[tuple[str, int, int], ...]) -> list[Board]:
    return boards.of_store(Store(folder).read(), folder.name)


@st.cache_resource(max_entries=64, show_spinner=False)
def _card(folder: Path, stamp: tuple[str, int, int]) -> Card:
    return read_card(folder)


@st.cache_resource(max_entries=64, show_spinner=False)
def _of_job(name: str, title: str, result: Path) -> Board:
    """A finished job's result never changes."""
    return boards.of_evaluation(result, name, title)
