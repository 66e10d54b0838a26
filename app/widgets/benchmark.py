"""Pieces of the Benchmark page: what is shown, the answers, the heat table, and what can be taken home."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state, theme
from app.components import matrix as heat
from app.services.benchmark import Shelf, drawable
from app.widgets.page import plain, score_title, set_title
from oodcore.report import columns
from oodcore.report.board import MEAN, OWN, Axis, Board, falls
from oodcore.report.matrix import AXES, Best, Matrix, Place, best, lead, matrix, titled
from oodcore.report.papers import budget, caption, cell_text, change_text, to_csv, to_html, to_latex

__all__ = ["chosen_place", "exports", "picked_board", "picked_metric", "picked_table", "shown_table"]

METRICS = {"auroc": "AUROC ↑", "fpr": "FPR95 ↓", "aupr": "AUPR ↑"}
FOUND = {"ood": "OOD", "id": "ID"}
TITLES: dict[Axis, str] = {"network": "Networks", "scorer": "Scores", "test": "Test sets"}
ONE: dict[Axis, str] = {"network": "Network", "scorer": "Score", "test": "Test images"}
KEYS: dict[Axis, str] = {"network": state.NETWORK, "scorer": state.SCORE, "test": state.TEST}
TABLE = "heat-table"
VALUES = ""
MANY = 12  # rows


def picked_board(place: DeltaGenerator, shelf: Shelf) -> Board:
    """The link's, or the first."""
    names = list(shelf.boards)
    if stray := state.stray(state.RESULTS, names):
        st.warning(
            f"This link points to results '{plain(stray)}', which are not on this server. "
            f"Showing '{plain(shelf.boards[names[0]].title)}' instead.",
            icon=":material/link_off:",
        )
    state.choose(state.RESULTS, names, names[0])
    name = place.selectbox(
        "Results",
        names,
        format_func=lambda name: shelf.boards[name].title,
        key=state.RESULTS,
        help="Settings of the result store, what the checkpoints’ cards say, and evaluations of your own.",
    )
    state.chosen(state.RESULTS, name, names[0])
    return shelf.boards[name]


def picked_metric(place: DeltaGenerator, beside: DeltaGenerator, board: Board) -> str | None:
    """Name of the chosen metric under the chosen convention; None, with a sentence, where the board lacks it."""
    family = _segments(
        place,
        "Metric",
        METRICS,
        state.METRIC,
        help="↑ higher is better, ↓ lower is better. FPR95 is the share of one class that is mistaken while 95 % of "
        "the other is found; AUPR the area under precision and recall.",
    )
    found = _segments(
        beside,
        "Class to be found (positive)",
        FOUND,
        state.FOUND,
        disabled=family == "auroc",
        help="Papers disagree about which class is “positive”. FPR95 and AUPR are other numbers then; AUROC is not.",
    )
    names = [name for name in board.metrics if name.startswith(family)]
    name = next((name for name in names if name == "auroc" or name.endswith(f"_{found}_positive")), None)
    if name is None:
        st.info(
            f"These results hold no {METRICS[family][:-2]}. Run an evaluation below: it measures all three.",
            icon=":material/info:",
        )
    return name


def picked_table(places: Sequence[DeltaGenerator], board: Board, metric: str) -> Matrix:
    """Rows, columns, what is fixed, and values or differences."""
    down = cast(Axis, _segments(places[0], "Rows", TITLES, state.DOWN))
    rest = [axis for axis in AXES if axis != down]
    across = cast(Axis, _segments(places[1], "Columns", {axis: TITLES[axis] for axis in rest[::-1]}, state.ACROSS))
    third = next(axis for axis in rest if axis != across)
    fixed = _fixed(places[2], board, third)
    others = [name for name in board.networks if not (third == "network" and name == fixed)]
    state.unknown(state.MINUS, others)
    state.choose(state.MINUS, [VALUES, *others], VALUES)
    minus = places[3].selectbox(
        "Show",
        [VALUES, *others],
        format_func=lambda name: f"Difference to {name}" if name else "Values",
        key=state.MINUS,
        help="Differences are in percentage points, with the same score on the same images.",
    )
    state.chosen(state.MINUS, minus, VALUES)
    return matrix(board, metric, down, across, fixed, minus or None)


def _segments(place: DeltaGenerator, label: str, words: Mapping[Any, str], key: str, **more: Any) -> str:
    """One of a few, the first by default, kept in the link."""
    options = list(words)
    state.unknown(key, options)
    state.choose(key, options, options[0])
    picked = place.segmented_control(label, options, required=True, format_func=words.__getitem__, key=key, **more)
    state.chosen(key, picked, options[0])
    return str(picked)


def _fixed(place: DeltaGenerator, board: Board, axis: Axis) -> str:
    """One of what is neither down nor across."""
    own = [OWN] if board.own else []
    options = {
        "network": board.networks,
        "scorer": [*own, *board.scorers],
        "test": _tests(board),
    }[axis]
    usual = {"network": board.networks[-1], "scorer": "energy", "test": MEAN}[axis]
    if stray := state.stray(KEYS[axis], options):
        st.warning(f"These results do not hold '{plain(stray)}', which the link asks for.", icon=":material/link_off:")
    usual = usual if usual in options else options[0]
    state.choose(KEYS[axis], options, usual)
    picked = place.selectbox(
        ONE[axis],
        options,
        format_func=lambda key: titled(board, axis, key),
        key=KEYS[axis],
        help="The third of networks, scores and test sets is fixed, or the mean is taken over it.",
    )
    state.chosen(KEYS[axis], picked, usual)
    return picked


def _tests(board: Board) -> list[str]:
    """The sets, and the means over some of them first."""
    return [*reversed(board.means), *board.tests]


def chosen_place(table: Matrix) -> Place:
    """The cell of the link, or its like under what is fixed now, where this table holds it.

    Else the best one whose curves can be drawn here; else the best one.
    """
    places = {table.place(*cell) for cell in table.values}
    parts, board = state.cell(), table.board
    known = bool(parts) and all(
        part in names for part, names in zip(parts, (board.networks, (OWN, *board.scorers), _tests(board)), strict=True)
    )
    state.sift(state.CELL, ["|".join(parts)] if known else [])
    if known:
        wanted = Place(*parts)
        for place in (wanted, wanted._replace(**{table.third: table.fixed})):
            if place in places:
                return place
    cells = [cell for cell in table.values if MEAN in table.place(*cell)] or list(table.values)
    ranked = [table.place(*cell) for cell in table.ranked(cells)]
    return next((place for place in ranked if drawable(table.board, place)), ranked[0])


def shown_table(table: Matrix, chosen: Place) -> None:
    """Answers, the heat table, and what it was measured with."""
    above = st.container()
    rows = list(table.rows) if table.down != "scorer" or len(table.rows) <= MANY or _all(table) else shortened(table)
    pale, full = _ends(table)
    line = "row" if table.down == "test" else "column"
    words = heat.Words(
        corner=ONE[table.down],
        alt=caption(table),
        pale=pale,
        full=full,
        best=f"best of its {line}",
        level="not told apart from it by twice the seeds’ spread" if table.level else "",
        plain="without colour: a difference within twice the seeds’ spread" if table.minus else "",
    )
    with above:
        heat.matrix(
            answers(table),
            [_heading(table, table.across, key) for key in table.columns],
            [_heading(table, table.down, key) for key in rows],
            [[_cell(table, row, column) for column in table.columns] for row in rows],
            words,
            diverging=table.minus is not None,
            selected="|".join(chosen),
            file=_file(table),
            key=TABLE,
            on_chosen=_open,
        )
    st.caption(plain(caption(table)))


def _all(table: Matrix) -> bool:
    """Whether every score is shown, asked below the table."""
    return st.toggle(
        f"All {len(table.rows)} scores",
        key=state.ALL_SCORES,
        bind="query-params",
        help="Else the best ones, and each that is best somewhere.",
    )


def shortened(table: Matrix) -> list[str]:
    """The first rows, and each that holds the best of a column."""
    marked = {row for row, _ in table.best}
    return [row for at, row in enumerate(table.rows) if at < MANY or row in marked]


def _ends(table: Matrix) -> tuple[str, str]:
    """Numbers at both ends of the shading."""
    worst, good = (100 * value for value in table.span)
    if table.minus:
        ends = [f"{end:+.1f}".replace("-", theme.MINUS) for end in (worst, good)]
        return (ends[1], ends[0]) if falls(table.metric) else (ends[0], ends[1])
    beyond = "" if not table.clipped else "≥ " if falls(table.metric) else "≤ "
    return f"{beyond}{worst:.1f}", f"{good:.1f}"


def answers(table: Matrix) -> list[heat.Answer]:
    """Which network and which score is best, and by how much beyond the seeds' spread."""
    board, metric = table.board, table.metric
    test = table.fixed if table.third == "test" else MEAN if MEAN in board.means else board.tests[0]
    found = best(board, metric, test)
    if not found:
        return []
    first, where = found[0], titled(board, "test", test)
    tried = len(board.scorers)
    made = [
        heat.Answer(
            f"Best on {where}: {columns.label(metric, board.convention)} {'↓' if falls(metric) else '↑'}",
            cell_text(first.value, 1),
            f"{first.place.network} with {first.place.scorer}",
            f"Of {len(found)} networks with {tried} scores each. Picked on these very images: an upper end.",
        )
    ]
    if len(found) > 1:
        made.append(_ahead("Ahead of the next network by", board, found[0], found[1]))
    start = next((each for each in found[2:] if each.place.network == board.baseline), None)
    if start is not None:
        made.append(_ahead("Ahead of the baseline by", board, found[0], start))
    if len(board.tests) > 1:
        made.append(_where(table))
    return made


def _ahead(label: str, board: Board, first: Best, other: Best) -> heat.Answer:
    gap = lead(first, other, board)
    if gap.spread is None:
        words = "One of the two has a single seed, so its spread is unknown and the order may be chance."
    elif gap.clear:
        words = f"More than twice the spread over seeds ({100 * gap.spread:.1f}): a clear lead."
    else:
        words = f"Not more than twice the spread over seeds ({100 * gap.spread:.1f}): call it a tie."
    name = f"{other.place.network} with {other.place.scorer}, {cell_text(other.value, 1)}"
    return heat.Answer(label, f"{100 * gap.mean:.2f}", name, words)


def _where(table: Matrix) -> heat.Answer:
    """Which network wins how many of the sets, each with the score that suits it best there."""
    board, won = table.board, dict[str, list[str]]()
    for test in board.tests:
        if found := best(board, table.metric, test):
            won.setdefault(found[0].place.network, []).append(test)
    ranked = sorted(won.items(), key=lambda pair: -len(pair[1]))
    name, sets = ranked[0]
    others = "; ".join(f"{other}: {', '.join(tests)}" for other, tests in ranked[1:])
    words = f"Elsewhere {others}." if others else "No other network wins a set."
    return heat.Answer("Wins most test sets", f"{len(sets)} of {len(board.tests)}", name, words)


def _heading(table: Matrix, axis: Axis, key: str) -> heat.Heading:
    board = table.board
    if axis == "test":
        mean = key in board.means
        words = "" if mean else f"{board.sizes[key]:,} images"
        apart = mean and key == next(iter(board.means))
        hint = "" if mean else set_title(key)
        return heat.Heading(titled(board, axis, key), words, "" if mean else board.group(key), hint, apart)
    if axis == "scorer":
        return heat.Heading(key, hint=score_title(key))
    seeds, accuracy = board.seeds(key), board.accuracy(key)
    parts = [f"{seeds} seed{'s' if seeds != 1 else ''}"]
    if accuracy is not None:
        parts.append(f"accuracy {100 * accuracy.mean:.1f}")
    if axis == table.down and table.third == "scorer" and table.fixed == OWN and key in board.own:
        parts.append(board.own[key])
    if key == table.minus:
        parts.append("compared with")
    return heat.Heading(key, ", ".join(parts))


def _cell(table: Matrix, row: str, column: str) -> heat.Cell | None:
    value = table.values.get((row, column))
    if value is None:
        return None
    board, place, change = table.board, table.place(row, column), table.change(row, column)
    if table.minus is not None and change is None and place.network != table.minus:
        return None  # the other network has no such value
    mark = "best" if (row, column) in table.best else "level" if (row, column) in table.level else ""
    number, _, spread = cell_text(value, 1).partition(" ")
    if change is not None:
        number, _, spread = change_text(change, 1).partition(" ")
    who = ", ".join(titled(board, axis, getattr(place, axis)) for axis in AXES)
    said = f"{who}: {cell_text(value)} per cent, {len(value.seeds)} seed{'s' if len(value.seeds) != 1 else ''}"
    if change is not None:
        said += f", {change_text(change)} to {table.minus}"
    words = {"best": ", best", "level": ", not told apart from the best"}
    return heat.Cell("|".join(place), number, spread, table.shade(row, column), mark, said + words.get(mark, ""))


def _open() -> None:
    """The clicked cell goes into the link, from which the page opens it."""
    if (id_ := heat.chosen(TABLE)) is not None:
        state.open_cell(id_)


def exports(table: Matrix) -> None:
    """The table as it is shown, with convention and budget."""
    said, *places = st.columns([6, 1.1, 1.1, 1.1], gap="small")
    said.caption(plain(f"{budget(table)} {table.board.source}"))
    kinds = (
        ("CSV", "csv", "text/csv", to_csv, "Every cell with spread, seeds, images and convention."),
        ("LaTeX", "tex", "text/x-tex", to_latex, "A booktabs table; the caption states convention and budget."),
        ("HTML", "html", "text/html", to_html, "One page that needs nothing else."),
    )
    for place, (label, ending, mime, make, words) in zip(places, kinds, strict=True):
        place.download_button(
            label,
            data=partial(make, table),
            file_name=f"{_file(table)}.{ending}",
            mime=mime,
            icon=":material/download:",
            on_click="ignore",
            key=f"save-{ending}",
            help=words,
            width="stretch",
        )


def _file(table: Matrix) -> str:
    """Name of what is saved, without ending."""
    return f"{table.board.name}-{table.metric}".replace("|", "-")
