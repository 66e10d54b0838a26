"""From one page to others with the same checkpoint, by their links."""

from typing import NoReturn

import streamlit as st

from app import state
from app.services import benchmark
from oodcore.checkpoint.layout import MODEL
from oodcore.report.board import MEAN
from oodcore.report.matrix import Place

__all__ = ["go", "leave", "onward"]

LEAVING = "leaves for"
PAGES = {
    "score": ("Score", ":material/query_stats:"),
    "prior": ("Outlier prior", ":material/bar_chart:"),
    "clusters": ("Clusters", ":material/scatter_plot:"),
    "finetune": ("Fine-tune", ":material/model_training:"),
    "blocks": ("Blocks", ":material/view_week:"),
    "benchmark": ("Benchmark", ":material/leaderboard:"),
    "checkpoints": ("Checkpoints", ":material/deployed_code:"),
}


def onward(name: str, *, here: str = "") -> None:
    """A row of the pages that can show this checkpoint, without the one that is shown already.

    Args:
        name: Of the checkpoint.
        here: The page that is left out.
    """
    with st.container(horizontal=True, gap="small", key=f"onward-{name}"):
        for page, (title, icon) in PAGES.items():
            if page != here:
                st.button(title, icon=icon, key=f"to-{page}", on_click=_chosen, args=(page, name))


def leave() -> None:
    """First on a page that has such a row: go where it was told to."""
    if (where := st.session_state.pop(LEAVING, None)) is not None:
        page, name = where
        go(page, name, **_closely(page, name))


def go(page: str, name: str, **there: str) -> NoReturn:
    """Show a checkpoint on a page, or "" for none; `there` is what else its link says.

    In a run of its own: what is chosen before its widget is drawn, in the same run, gets into no link, and loses to the
    link that the visitor came with.
    """
    st.switch_page(f"views/{page}.py", query_params={**there, **({state.CHECKPOINT: name} if name else {})})


def _closely(page: str, name: str) -> dict[str, str]:
    """What the link of a page says besides the checkpoint, so that it opens with this one."""
    if page == "checkpoints":
        return {state.VIEW: "one"}
    card = benchmark.cards().get(name) if page == "benchmark" else None
    if card is None:
        return {}
    measured = ((board, result) for board in benchmark.shelf().boards.values() for result in board.results)
    found = next(((board, one) for board, one in measured if one.weights == card.sha256[MODEL]), None)
    if found is None:
        return {}
    board, result = found
    return {state.RESULTS: board.name, state.CELL: "|".join(Place(result.network, "energy", MEAN))}


def _chosen(page: str, name: str) -> None:
    st.session_state[LEAVING] = page, name
