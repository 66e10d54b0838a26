"""An evaluation as a job: what is measured on what, how it stands, and where its results are."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from app import state
from app.services import benchmark, jobs
from app.widgets.jobs import progress
from app.widgets.page import plain, set_title, to_checkpoints
from oodcore.checkpoint import Card
from oodcore.data import Entry, comparable, entries, entry
from oodcore.errors import OODError
from oodcore.jobs.kinds.evaluate import order_of
from oodcore.jobs.queue import Job
from oodcore.scorers import scorers

__all__ = ["measuring"]

LIMITS = {"500": 500, "1,000": 1000, "all": None}
RULES = {"first": "first threshold with the recall", "nearest": "nearest recall, as energy_ood"}
SHOWN = 3  # of the visitor's last evaluations


def measuring() -> None:
    """The form, and the visitor's last evaluations above it."""
    st.subheader("Run an evaluation", anchor=False)
    for job in benchmark.evaluations()[:SHOWN]:
        _standing(job)
    cards = benchmark.with_scorers()
    if not cards:
        st.info("No checkpoint here has fitted scorers, so there is nothing to measure.", icon=":material/tune:")
        to_checkpoints("Fit one")
        st.caption("Or on the server itself: `ood fit NAME --id SET`.")
        return
    with st.container(border=True):
        _form(cards)


def _standing(job: Job) -> None:
    if progress(job).state == "finished" and st.query_params.get(state.RESULTS) != job.id:
        st.button(
            "Show its results",
            icon=":material/table_chart:",
            key=f"show-{job.id}",
            on_click=_show,
            args=(job.id,),
        )


def _show(name: str) -> None:
    state.link(state.RESULTS, name)
    st.query_params.pop(state.CELL, None)


def _form(cards: dict[str, Card]) -> None:
    here = [name for name, card in cards.items() if any(known.name == _own(card) for known in _id_sets(card))]
    left, right = st.columns(2, gap="large")
    with left:
        names = _some(
            "Checkpoints",
            list(cards),
            (here or list(cards))[:1],
            "measure-checkpoints",
            help="Several are measured on the same images, so that they can be compared.",
        )
        chosen = {name: cards[name] for name in names}
        inside = _id_set(next(iter(chosen.values()))) if chosen else None
        strangers = [name for name, card in chosen.items() if inside and not _knows(card, inside)]
        if strangers:
            st.caption(
                f"{plain(', '.join(strangers))} learned other images than these: its numbers would mean little here."
            )
    if inside is None:
        if not chosen:
            right.caption("Choose at least one checkpoint.")
        return
    offered = [each.name for each in comparable(inside)]
    with right:
        outside = _some(
            "OOD test sets",
            offered,
            offered,
            "measure-ood",
            format_func=set_title,
            help="Near and far sets that are here and coded like the ID set: compression alone would tell them apart.",
        )
        wanted = _some(
            "Scores",
            scorers.names(),
            [],
            "measure-scorers",
            placeholder="All fitted ones without gradients",
            help="They share one pass. Only ODIN differentiates the network and takes several times as long.",
        )
    size, rule, button = st.columns([3, 4, 3], vertical_alignment="bottom")
    limit = _one(size.segmented_control, "Images of each set", list(LIMITS), "1,000", "measure-limit", required=True)
    how = _one(
        rule.selectbox,
        "FPR is read at",
        list(RULES),
        "first",
        "measure-rule",
        format_func=RULES.__getitem__,
        help="Another rule is another convention: its results stand in a table of their own.",
    )
    if button.button("Measure", type="primary", icon=":material/play_arrow:", width="stretch", disabled=not outside):
        _start(chosen, inside, outside, wanted, LIMITS[limit], how)


def _some(label: str, options: Sequence[str], usual: Sequence[str], key: str, **more: Any) -> list[str]:
    """Several of them, kept in the link."""
    state.unknown(key, options)
    state.choose_some(key, options, usual)
    picked = st.multiselect(label, options, key=key, **more)
    state.chosen(key, picked, usual)
    return picked


def _one(draw: Callable[..., str | None], label: str, options: Sequence[str], usual: str, key: str, **more: Any) -> str:
    """One of them, likewise."""
    state.unknown(key, options)
    state.choose(key, options, usual)
    picked = draw(label, options, key=key, **more)
    state.chosen(key, picked, usual)
    return picked or usual


def _start(
    chosen: dict[str, Card], inside: Entry, outside: list[str], wanted: list[str], limit: int | None, rule: str
) -> None:
    """The same question is answered at once, whoever asked it before."""
    try:
        order = order_of(chosen, inside.name, outside, wanted, limit, rule)
        queue = jobs.queue()
        if (known := queue.finished("evaluate", order)) is not None:
            st.session_state["measured"] = known.id
        else:
            names = ", ".join(chosen)
            images = "all images" if limit is None else f"{limit:,} images of each set"
            queue.submit("evaluate", order, owner=jobs.owner(), title=f"{names} on {inside.name}, {images}")
    except OODError as problem:
        st.error(plain(str(problem)), icon=":material/error:")
        return
    st.rerun()


def _id_set(card: Card) -> Entry | None:
    """What the checkpoint can be measured on here; a sentence where there is nothing."""
    offered = _id_sets(card)
    if not offered:
        own = entry(_own(card)) if _own(card) in {each.name for each in entries()} else None
        st.info(
            "The images that this checkpoint knows are not on this server. "
            + (plain(own.how) if own is not None else "Put them into the data folder."),
            icon=":material/folder_off:",
        )
        return None
    names = [each.name for each in offered]
    return entry(_one(st.selectbox, "ID test set", names, names[0], "measure-id", format_func=set_title))


def _knows(card: Card, inside: Entry) -> bool:
    return inside.name in {each.name for each in _id_sets(card)}


def _own(card: Card) -> str:
    """The set that its thresholds were taken from."""
    told = card.thresholds.get("calibration")
    return str(told.get("name", "") if isinstance(told, Mapping) else told or "")  # earlier fits noted the name alone


def _id_sets(card: Card) -> list[Entry]:
    """ID sets that are here and may show the network's classes; its own first."""
    drawn = {each.name: not each.needs for each in entries()}
    found = [
        each
        for each in entries()
        if each.role == "id"
        and each.classes == len(card.classes)
        and each.present()
        and (not each.needs) == drawn.get(_own(card), not each.needs)
    ]
    return sorted(found, key=lambda each: each.name != _own(card))
