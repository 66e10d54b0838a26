"""A heat table that answers to mouse and arrow keys. Names and numbers are set as text, never as HTML."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from app.components.made import made

__all__ = ["Answer", "Cell", "Heading", "Words", "chosen", "matrix"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One number above the table, with what it means.

    Args:
        label: What is asked.
        value: The number as text.
        name: Of what it belongs to.
        words: What to make of it.
    """

    label: str
    value: str
    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Heading:
    """Of a row or a column; neighbours with one group share a heading."""

    title: str
    words: str = ""
    group: str = ""
    hint: str = ""  # its full name, beside the pointer
    apart: bool = False  # set apart from what stands before it, as a mean from the sets


@dataclass(frozen=True, slots=True)
class Cell:
    """One number.

    Args:
        id: What is reported when it is chosen.
        text: The number.
        spread: Of it, or "".
        shade: From 0 to 1, or from -1 to 1 where differences are shown.
        mark: "best", "level" or "".
        label: All of it in words, for who cannot see the table.
    """

    id: str
    text: str
    spread: str
    shade: float
    mark: str
    label: str


@dataclass(frozen=True, slots=True)
class Words:
    """Around the table.

    Args:
        corner: What the rows are.
        alt: What the table shows.
        pale: The number at the pale end of the shading.
        full: The number at its other end.
        best: What a filled mark means.
        level: What a hollow mark means, or "" where there is none.
        plain: What a cell without colour means, or "".
    """

    corner: str
    alt: str
    pale: str
    full: str
    best: str
    level: str
    plain: str


def matrix(
    answers: Sequence[Answer],
    columns: Sequence[Heading],
    rows: Sequence[Heading],
    cells: Sequence[Sequence[Cell | None]],
    words: Words,
    *,
    diverging: bool,
    selected: str,
    file: str,
    key: str,
    on_chosen: Callable[[], None],
) -> None:
    """Draw the table.

    Args:
        answers: What stands above it.
        columns: From left to right.
        rows: From top to bottom.
        cells: By row and column; None where there is no number.
        words: Around it.
        diverging: Whether shades go both ways from 0.
        selected: Id of the open cell.
        file: Name of saved files, without ending.
        key: Streamlit key.
        on_chosen: Called before the page runs again; `chosen(key)` is the cell.
    """
    data = {
        "answers": [asdict(answer) for answer in answers],
        "columns": [asdict(heading) for heading in columns],
        "rows": [asdict(heading) for heading in rows],
        "cells": [[None if cell is None else asdict(cell) for cell in line] for line in cells],
        "words": asdict(words),
        "diverging": diverging,
        "selected": selected,
        "file": file,
    }
    made("matrix")(data=data, key=key, on_chosen_change=on_chosen)


def chosen(key: str) -> str | None:
    """Id of the cell that was last clicked."""
    id_ = (st.session_state.get(key) or {}).get("chosen")
    return id_ if isinstance(id_, str) else None
