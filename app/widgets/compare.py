"""Checkpoints beside each other: which ones, and the board that one dial moves."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
import torch
from streamlit.delta_generator import DeltaGenerator

from app import state, theme
from app.charts.score import Bins, bins
from app.components.board import Card, Panel, Under, Words, contents
from app.services import decisions, family, resources, table
from app.services.decisions import Dial
from app.services.memory import Memory
from app.services.resources import Exhibit
from app.services.samples import Picture, let_go_with
from app.services.table import Row, Side, Verdict
from app.widgets.page import plain, set_title, spinner
from oodcore.errors import OODError

__all__ = ["Compared", "columns", "compared", "picked_beside"]


@dataclass(frozen=True, slots=True)
class Compared:
    """Checkpoints under one score, ready for the board and the files.

    Args:
        dials: One per checkpoint, with the same settings.
        drawn: Histograms, one per checkpoint.
        board: See `app.components.board.contents`.
    """

    dials: Sequence[Dial]
    drawn: Sequence[Bins]
    board: Mapping[str, Any]


_COMPARED: Memory[tuple[Hashable, ...], Compared] = Memory(64)
let_go_with(_COMPARED)


def compared(sides: Sequence[Side], scorer: str, against: str | None, pictures: Sequence[Picture]) -> Compared:
    """All that does not depend on the dial; made once for the same checkpoints, score and pictures."""
    checkpoints = tuple((side.name, side.shown.key) for side in sides)
    named = tuple((picture.id, picture.name, picture.group, picture.truth) for picture in pictures)
    return _COMPARED.find((checkpoints, scorer, against, named), lambda: _compared(sides, scorer, against, pictures))


def columns(sides: Sequence[Side], drawn: Sequence[Bins]) -> dict[str, list[object]]:
    """The histograms as a table."""
    bars = [(side.name, *bar) for side, one in zip(sides, drawn, strict=True) for bar in _heights(one)]
    titles = ("checkpoint", "score_from", "score_to", "known_relative_to_peak", "outliers_relative_to_peak")
    return {title: [bar[index] for bar in bars] for index, title in enumerate(titles)}


def _heights(drawn: Bins) -> Iterable[tuple[object, ...]]:
    outliers = [""] * len(drawn.id) if drawn.ood is None else drawn.ood.tolist()
    edges = drawn.edges.tolist()
    return zip(edges, edges[1:], drawn.id.tolist(), outliers, strict=False)


def _compared(sides: Sequence[Side], scorer: str, against: str | None, pictures: Sequence[Picture]) -> Compared:
    settings = [resources.settings(side.shown, side.shown.key, scorer, against) for side in sides]
    dials = decisions.common(settings)
    drawn = [_histograms(side, scorer, against) for side in sides]
    shown = contents(
        cards=_cards(sides, scorer, pictures, dials),
        panels=[_panel(side, scorer, dial, one) for side, dial, one in zip(sides, dials, drawn, strict=True)],
        words=_words(sides, scorer, against, dials),
        levels=dials[0].levels,
    )
    return Compared(dials, drawn, shown)


def picked_beside(place: DeltaGenerator, folders: dict[str, Path], main: Exhibit) -> dict[str, Exhibit]:
    """Short name → checkpoint, the main one first, then those of the link or the usual ones.

    Args:
        place: Where the choice is drawn.
        folders: See `resources.folders`.
        main: The checkpoint that the page is about.
    """
    names = family.comparable(folders, main.name)
    others = {short: name for name, short in names.items() if name != main.name}
    usual = [names[name] for name in family.usual(folders, main.name)]
    strange = state.strays(state.BESIDE, list(others))
    if strange:
        quoted = " and ".join(f"'{plain(name)}'" for name in strange)
        st.warning(
            f"This link compares with {quoted}, which is not on this server or does not know the same classes. It is "
            "left out.",
            icon=":material/link_off:",
        )
    most = family.MOST - 1
    state.choose_some(state.BESIDE, list(others), usual, most)
    chosen = place.multiselect(
        "Compare with",
        list(others),
        max_selections=most,
        key=state.BESIDE,
        placeholder="One checkpoint alone" if others else "No other one knows these classes",
        disabled=not others,
        help="Checkpoints that know the same classes. One dial moves all of them: each at its own threshold, so that "
        "each keeps the same share of known images.",
    )
    state.chosen(state.BESIDE, chosen, usual)
    found = {names[main.name]: main}
    for short in chosen:
        try:
            with spinner("Opening the checkpoint …", needed=not resources.is_open(folders[others[short]])):
                found[short] = resources.exhibit(folders[others[short]])
        except OODError as problem:
            st.warning(f"'{plain(short)}' is left out. {plain(str(problem))}", icon=":material/deployed_code_alert:")
    return found


def _cards(sides: Sequence[Side], scorer: str, pictures: Sequence[Picture], dials: Sequence[Dial]) -> list[Card]:
    """What the board shows of each picture, under every checkpoint."""
    found = table.rows(sides, pictures, state.ACCEPTANCE, [scorer])
    kept_from = [
        decisions.kept_from(
            side.shown.calibration(scorer),
            torch.tensor([answer.scores[scorer] for answer in side.answers], dtype=torch.float64),
            dial.levels,
        )
        for side, dial in zip(sides, dials, strict=True)
    ]
    return [_card(row, scorer, firsts) for row, *firsts in zip(found, *kept_from, strict=True)]


def _histograms(side: Side, scorer: str, against: str | None) -> Bins:
    """The calibration images, whose shares the dial sets, and the outliers."""
    known, outliers = side.shown.calibration(scorer).scores, side.shown.against(scorer, against)
    return bins(known.numpy(), None if outliers is None else outliers.numpy())


def _words(sides: Sequence[Side], scorer: str, against: str | None, dials: Sequence[Dial]) -> Words:
    """Sentences around the board."""
    main, several = sides[0].shown, len(sides) > 1
    outliers = main.against(scorer, against)
    apart = "" if several or dials[0].apart is None else f". AUROC ↑ {theme.percent(dials[0].apart)}"
    flips = " Bright: the decision depends on the checkpoint." if several else ""
    own = (
        " Scores of different checkpoints do not compare; their shares do. Training against outliers helps with what "
        "resembles them, and may cost elsewhere: choose other outliers above."
        if several
        else ""
    )
    return Words(
        dial=f"Drag this dial or {'any' if several else 'the'} line below. Flagged is whatever lies right of the line.",
        same="p is the share of known images that look at least this unusual. Flagging {p} keeps {share} of them: the "
        "same decision in other words.",
        alarms="of known test images flagged: false alarms",
        caught="of these outliers flagged: caught" if against else "no reference outliers here",
        known=f"known images (ID), {len(main.calibration(scorer)):,} for calibration",
        outliers="" if outliers is None else f"outliers (OOD), {len(outliers):,}: {set_title(against or '')}{apart}",
        axis=f"{main.title(scorer)} score: higher = more out-of-distribution. Each curve is scaled to its own peak. "
        f"The pictures hang below at their scores, round where kept, square where flagged.{flips}{own}",
    )


def _card(row: Row, scorer: str, firsts: Sequence[int]) -> Card:
    return Card(
        id=row.picture.id,
        name=row.picture.name,
        group=row.picture.group,
        truth=row.picture.truth,
        original=row.view.original,
        seen=row.view.seen,
        small=row.view.small,
        under=[_under(verdict, scorer, first) for verdict, first in zip(row.verdicts, firsts, strict=True)],
    )


def _under(verdict: Verdict, scorer: str, first: int) -> Under:
    score, p = verdict.answer.scores[scorer], verdict.p[scorer]
    return Under(
        label=verdict.label,
        confidence=verdict.answer.confidence,
        score=score,
        rank=1 - p,
        rankWords=f"More unusual than {theme.percent(1 - p)} of known images",
        scoreWords=theme.number(score),
        pWords=theme.p_value(p),
        keptFrom=first,
    )


def _panel(side: Side, scorer: str, dial: Dial, drawn: Bins) -> Panel:
    title = side.shown.title(scorer)
    return Panel(
        name=side.name,
        low=float(drawn.edges[0]),
        high=float(drawn.edges[-1]),
        edges=drawn.edges.tolist(),
        id=drawn.id.tolist(),
        ood=None if drawn.ood is None else drawn.ood.tolist(),
        thresholds=list(dial.thresholds),
        thresholdWords=[theme.number(value) for value in dial.thresholds],
        alarms=list(dial.alarms),
        caught=None if dial.caught is None else list(dial.caught),
        apart="" if dial.apart is None else theme.percent(dial.apart),
        alt=f"{side.name}: histograms of the {title} score for known images and outliers, with the threshold between.",
    )
