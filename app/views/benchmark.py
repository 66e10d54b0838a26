"""Benchmark: which network and which score is best where, and by how much beyond the seeds' spread."""

from typing import cast

import streamlit as st

from app import state
from app.services import benchmark
from app.widgets.benchmark import chosen_place, exports, picked_board, picked_metric, picked_table, shown_table
from app.widgets.cell import closely
from app.widgets.measure import measuring
from app.widgets.page import header, plain
from oodcore.errors import OODError
from oodcore.metrics.levels import Positive
from oodcore.report.board import Board

TITLE = "Which network, which score, and by how much?"
LEAD = (
    "Behind every number stand a **network** (how it was trained), a **score** (how its outputs are read) and a "
    "**test set** of things that it should not recognise. Put two of the three into rows and columns; the third is "
    "fixed or averaged. Click a number to see what is behind it."
)


def render() -> None:
    """What is shown, the table with its answers, one cell closely, and an evaluation of one's own."""
    header(TITLE, LEAD)
    if name := st.session_state.pop("measured", None):
        state.link(state.RESULTS, name)  # before the choice of results is drawn
        st.toast("This was measured before; here it is.", icon=":material/history:")
    try:
        shelf = benchmark.shelf(state.wanted(state.RESULTS, "") or "")
        for note in shelf.notes:
            st.warning(plain(note), icon=":material/database_off:")
        if shelf.boards:
            results(shelf)
        else:
            st.info(
                "No results are here yet. Run an evaluation below; they appear here.", icon=":material/table_chart:"
            )
        measuring()
    except OODError as problem:
        st.error(plain(str(problem)), icon=":material/error:")


def results(shelf: benchmark.Shelf) -> None:
    """Everything about one board."""
    with st.container(border=True):
        places = st.columns([8, 4, 4])
        board = picked_board(places[0], shelf)
        metric = picked_metric(places[1], places[2], board)
        if metric is None:
            return
        table = picked_table(st.columns(4), board, metric)
    if not table.values:
        st.info(
            "There is no such number here. Choose another network, score or test set.", icon=":material/search_off:"
        )
        return
    chosen = chosen_place(table)
    shown_table(table, chosen)
    exports(table)
    remarks(board)
    closely(board, metric, chosen, cast(Positive, st.session_state.get(state.FOUND) or "ood"))


def remarks(board: Board) -> None:
    """What is to be kept in mind."""
    if board.notes:
        with st.expander(f"{len(board.notes)} remarks on these results", icon=":material/info:"):
            st.markdown("\n".join(f"- {plain(note)}" for note in board.notes))


render()
