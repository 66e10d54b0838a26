"""From one page to others with the same checkpoint, by their links."""

from typing import NoReturn

import streamlit as st

from app import state

__all__ = ["go", "leave", "onward"]

LEAVING = "leaves for"
PAGES = {
    "score": ("Score", ":material/query_stats:"),
    "prior": ("Outlier prior", ":material/bar_chart:"),
    "clusters": ("Clusters", ":material/scatter_plot:"),
    "finetune": ("Fine-tune", ":material/model_training:"),
    "blocks": ("Blocks", ":material/view_week:"),
}


def onward(name: str) -> None:
    """A row of the pages that can show this checkpoint."""
    with st.container(horizontal=True, gap="small", key=f"onward-{name}"):
        for page, (title, icon) in PAGES.items():
            st.button(title, icon=icon, key=f"to-{page}", on_click=_chosen, args=(page, name))


def leave() -> None:
    """First on a page that has such a row: go where it was told to."""
    if (where := st.session_state.pop(LEAVING, None)) is not None:
        go(*where)


def go(page: str, name: str, **there: str) -> NoReturn:
    """Show a checkpoint on a page, or "" for none; `there` is what else its link says.

    In a run of its own: what is chosen before its widget is drawn, in the same run, gets into no link, and loses to the
    link that the visitor came with.
    """
    st.switch_page(f"views/{page}.py", query_params={**there, **({state.CHECKPOINT: name} if name else {})})


def _chosen(page: str, name: str) -> None:
    st.session_state[LEAVING] = page, name
