"""One cell of the benchmark, closely: its numbers, the same network on every set, and its curves."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state, theme
from app.charts.benchmark import Dot, by_set, density, precision_recall, roc
from app.services.benchmark import Behind, Curves, Seed, behind, curves, seeds
from app.services.memory import Memory
from app.services.spreadsheet import stacked
from app.widgets.figure import figure
from app.widgets.page import plain, score_title, set_title
from oodcore.metrics.levels import Positive
from oodcore.metrics.ranking import Interpolation, Rule
from oodcore.report import columns
from oodcore.report.board import Board, Result
from oodcore.report.matrix import Place, titled
from oodcore.report.papers import cell_text
from oodcore.report.row import Convention

__all__ = ["closely"]

Choice = TypeVar("Choice", Rule, Interpolation)
RULES: dict[Rule, str] = {"first": "first threshold with the recall", "nearest": "threshold with the nearest recall"}
AREAS: dict[Interpolation, str] = {"step": "average precision", "trapezoid": "trapezoids under the curve"}


_FIGURES: Memory[tuple[Hashable, ...], go.Figure] = Memory(256)  # making one takes longer than drawing the table


def _once(kind: Callable[..., go.Figure], key: tuple[Hashable, ...], make: Callable[[], go.Figure]) -> go.Figure:
    """The figure of this kind and content, made where it is not kept."""
    return _FIGURES.find((kind, *key), make)


def closely(board: Board, metric: str, place: Place, positive: Positive) -> None:
    """Numbers on the left, every set on the right; curves below, once the cell was chosen."""
    where = plain(titled(board, "test", place.test))
    scorer = board.scorer(place.network, place.scorer) or place.scorer
    st.subheader(f"{plain(place.network)} with {plain(scorer)} on {where}", anchor=False)
    with st.container(border=True):
        left, right = st.columns([4, 7], gap="large")
        with left:
            _numbers(board, place, scorer)
        with right:
            _every_set(board, metric, place, scorer)
    if not state.curves():  # the page opens on a cell that nobody asked for
        st.button(
            "Its densities, ROC, precision and recall",
            key="show-curves",
            icon=":material/show_chart:",
            on_click=state.open_cell,
            args=("|".join(place),),
        )
        return
    members = board.members(place.test)
    test = members[0]
    if len(members) > 1:
        state.unknown(state.CURVES_AGAINST, members)
        state.choose(state.CURVES_AGAINST, members, test)
        picked = st.selectbox("Curves against", members, format_func=set_title, key=state.CURVES_AGAINST, width=420)
        state.chosen(state.CURVES_AGAINST, picked, test)
        test = picked
    results = board.results_of(place.network, place.scorer, test)
    _curves(board, results, scorer, test, positive)


def _numbers(board: Board, place: Place, scorer: str) -> None:
    """Every metric of the cell, the two that depend on the found class named by it."""
    st.markdown(f"**{score_title(scorer)} score** – every metric, in per cent")
    lines = ["| Metric | % |", "| :-- | --: |"]
    for metric in board.metrics:
        value = board.value(metric, *place)
        if value is not None and metric != "detection_error":
            arrow = "↓" if metric.startswith("fpr") else "↑"
            lines.append(f"| {columns.label(metric, board.convention)} {arrow} | {cell_text(value)} |")
    st.markdown("\n".join(lines))
    members = board.members(place.test)
    sizes = f"{len(members)} sets, {sum(board.sizes[test] for test in members):,} images"
    if len(members) == 1:
        sizes = f"{set_title(place.test)}, {board.sizes[place.test]:,} images"
    value = board.value(board.metrics[0], *place)
    counted = [] if value is None else [str(seed) for seed, _ in value.seeds]
    accuracy = board.accuracy(place.network)
    facts = [
        f"ID: {set_title(board.id_set)}, {board.n_id:,} images",
        f"OOD: {sizes}",
        f"Seeds: {', '.join(counted)}",
        *([] if accuracy is None else [f"Accuracy of the network: {cell_text(accuracy)} %"]),
        f"Training: {board.budgets.get(place.network, 'budget unknown')}",
    ]
    st.caption("  \n".join(plain(fact) for fact in facts))


def _every_set(board: Board, metric: str, place: Place, scorer: str) -> None:
    """The same network and score on each test set, and where the baseline stood."""
    start = board.baseline if board.baseline != place.network else None
    dots = []
    for test in board.tests:
        if (value := board.value(metric, place.network, place.scorer, test)) is not None:
            before = None if start is None else board.value(metric, start, scorer, test)
            dots.append(
                Dot(
                    test,
                    100 * value.mean,
                    None if value.spread is None else 100 * value.spread,
                    tuple(100 * number for _, number in value.seeds),
                    None if before is None else 100 * before.mean,
                )
            )
    label = f"{columns.label(metric, board.convention)}, %"
    st.markdown("**The same network and score on every test set**")
    asked = (tuple(dots), label, start, place.test, theme.palette(st.context.theme.type))
    figure(
        _once(by_set, asked, lambda: by_set(*asked)),
        stacked({"mean": _means(dots), "seed": _seeds(board, metric, place)}),
        name="on-every-set",
        alt="; ".join(f"{dot.test} {dot.value:.1f}" for dot in dots),
    )
    said = "" if start is None else f" ◇ {plain(start)} with the same score."
    st.caption(f"● this network, mean over seeds; a bar is ± one standard deviation, small strokes are seeds.{said}")


def _means(dots: Sequence[Dot]) -> dict[str, list[object]]:
    return {
        "test_set": [dot.test for dot in dots],
        "percent": [dot.value for dot in dots],
        "sd_over_seeds": [dot.spread for dot in dots],
        "baseline_percent": [dot.start for dot in dots],
    }


def _seeds(board: Board, metric: str, place: Place) -> dict[str, list[object]]:
    """Each seed on each test set: the small strokes."""
    found = {test: board.value(metric, place.network, place.scorer, test) for test in board.tests}
    rows = [(test, seed, 100 * number) for test, value in found.items() if value for seed, number in value.seeds]
    return {title: [row[at] for row in rows] for at, title in enumerate(("test_set", "seed", "percent"))}


def _curves(board: Board, results: list[Result], scorer: str, test: str, positive: Positive) -> None:
    """Of one seed whose scores are here; which scores they are stands above."""
    available = {_seed_name(each.result, results): each for each in seeds(board, results)}
    picked = next((name for name, seed in available.items() if behind(board, seed, scorer)), next(iter(available), ""))
    if len(available) > 1:
        picked = _segments(available, picked)
    found = behind(board, available[picked], scorer) if available else None
    if found is None:
        st.info(
            "The scores behind this cell are not on this server: no evaluation of these weights holds them, nor does "
            "a checkpoint. Import the checkpoint, or run an evaluation below with one that is here.",
            icon=":material/show_chart:",
        )
        return
    how = _convention(board.convention)
    drawn = curves(found, how, positive)
    _where_from(found, drawn, available[picked].result)
    _drawn(drawn, (*found.key, how), scorer, positive, how.recall)


def _convention(stored: Convention) -> Convention:
    """How FPR and AUPR are read off the curves: as in the table, until the visitor wants it otherwise."""
    at, under, _ = st.columns([5, 4, 3])
    rule = _either(at, f"FPR{100 * stored.recall:g} at the", RULES, state.CURVES_RULE, stored.rule)
    area = _either(under, "AUPR", AREAS, state.CURVES_AREA, stored.interpolation)
    return replace(stored, rule=rule, interpolation=area)


def _either(place: DeltaGenerator, label: str, words: Mapping[Choice, str], key: str, usual: Choice) -> Choice:
    """One of two, kept in the link."""
    state.choose(key, list(words), usual)
    picked = place.segmented_control(label, list(words), required=True, format_func=lambda one: words[one], key=key)
    state.chosen(key, picked or usual, usual)
    return picked or usual


def _segments(available: Mapping[str, Seed], usual: str) -> str:
    """Which seed is drawn; the link keeps its number."""
    state.unknown(state.CURVES_SEED, list(available))
    state.choose(state.CURVES_SEED, list(available), usual)
    picked = st.segmented_control(
        "Network", list(available), required=True, format_func=lambda name: f"Seed {name}", key=state.CURVES_SEED
    )
    state.chosen(state.CURVES_SEED, str(picked), usual)
    return str(picked)


def _seed_name(result: Result, results: Sequence[Result]) -> str:
    """Its number, where that tells it from the others."""
    alone = sum(other.seed == result.seed for other in results) == 1 and result.seed is not None
    return str(result.seed) if alone else f"{result.seed}, {result.weights[:8]}"


def _where_from(found: Behind, drawn: Curves, result: Result) -> None:
    """Which rows are drawn, and both AUROCs, so that nobody takes the sample's for the set's."""
    here, stored = 100 * float(drawn.metrics["auroc"]), result.values.get("auroc")
    said = "" if stored is None else f" The table’s own number for this network and set is **{100 * stored:.2f} %**."
    few = "" if found.whole else " A part of the images: the curves are close to, but not exactly, the table’s."
    st.markdown(
        f"{plain(found.words)}: {len(found.known):,} ID and {len(found.outliers):,} OOD scores. AUROC ↑ of exactly "
        f"these: **{here:.2f} %**.{said}{few}"
    )


def _drawn(drawn: Curves, key: tuple[Hashable, ...], scorer: str, positive: Positive, recall: float) -> None:
    """The three curves; `key` stands for their content."""
    colours = theme.palette(st.context.theme.type)
    metrics, (_, bars, line, ranked) = drawn.metrics, drawn
    fpr = float(metrics[f"fpr{100 * recall:g}_{positive}_positive"])
    area, area_under = float(metrics[f"aupr_{positive}_positive"]), 100 * float(metrics["auroc"])
    places = st.columns(3, gap="medium")
    with places[0], st.container(border=True):
        st.markdown("**Densities**")
        figure(
            _once(density, (*key, scorer, colours), lambda: density(bars, score_title(scorer), colours)),
            {"from": bars.edges[:-1].tolist(), "to": bars.edges[1:].tolist(), "id": bars.id.tolist(),
             "ood": bars.ood.tolist()},
            name="densities",
            alt=f"Densities of the {score_title(scorer)} score for ID images, solid, and OOD images, dashed.",
        )  # fmt: skip
    with places[1], st.container(border=True):
        st.markdown(f"**ROC** – {positive.upper()} is found")
        figure(
            _once(roc, (*key, positive, colours), lambda: roc(line, fpr, recall, positive, colours)),
            {"false_positive_rate": line.x.tolist(), "true_positive_rate": line.y.tolist()},
            name="roc",
            alt=f"ROC curve; FPR {100 * fpr:.1f} % at {100 * recall:g} % recall, AUROC {area_under:.1f} %.",
        )
    with places[2], st.container(border=True):
        st.markdown(f"**Precision and recall** – AUPR ↑ {100 * area:.1f} %")
        figure(
            _once(
                precision_recall,
                (*key, positive, colours),
                lambda: precision_recall(ranked, float(ranked.y[-1]), positive, colours),
            ),
            {"recall": ranked.x.tolist(), "precision": ranked.y.tolist()},
            name="precision-recall",
            alt=f"Precision over recall; area {100 * area:.1f} %, guessing {100 * float(ranked.y[-1]):.1f} %.",
        )
