"""The dial, the histogram and the two lanes of photos, answered in the browser while they are dragged.

Python sends every decision for every setting of the dial once; the browser looks them up and reports the setting on
release. Names and pictures are set as text and as image sources, never as HTML.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

__all__ = ["Card", "Chosen", "Reference", "Words", "board"]

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Card:
    """One photo on the board; pictures are data URIs, `truth` is "id", "ood" or None where nobody knows."""

    id: str
    name: str
    group: str
    truth: str | None
    original: str
    seen: str
    small: bool  # the picture is as coarse as the network's view: draw its pixels, do not blur them
    label: str
    confidence: float
    score: float
    rank: float  # share of known images that score lower, 0..1
    rankWords: str  # noqa: N815  the browser's spelling
    scoreWords: str  # noqa: N815
    pWords: str  # noqa: N815
    keptFrom: int  # noqa: N815  first setting of the dial that keeps it; the number of settings where none does


@dataclass(frozen=True, slots=True)
class Reference:
    """Two histograms over the same bins; heights are relative to the tallest bar, 0..1."""

    low: float
    high: float
    edges: list[float]
    id: list[float]
    ood: list[float] | None
    idName: str  # noqa: N815
    oodName: str  # noqa: N815


@dataclass(frozen=True, slots=True)
class Words:
    """Sentences around the board."""

    dial: str
    alarms: str
    caught: str
    axis: str
    alt: str


class Chosen(NamedTuple):
    """What the visitor last settled on; None until they do."""

    acceptance: float | None
    photo: str | None


def board(
    *,
    cards: Sequence[Card],
    reference: Reference,
    words: Words,
    levels: Sequence[float],
    level: int,
    thresholds: Sequence[float],
    threshold_words: Sequence[str],
    alarms: Sequence[float],
    caught: Sequence[float] | None,
    key: str,
) -> Chosen:
    """Draw the board.

    Args:
        cards: Photos in any order.
        reference: Histograms of known images and outliers.
        words: Sentences around it.
        levels: Settings of the dial: shares of known images to keep, rising, 0..1.
        level: Index of the setting it opens with; later the visitor's own holds.
        thresholds: Score above which a photo is flagged, one per setting.
        threshold_words: The same as text.
        alarms: Share of held-out known images flagged at each setting.
        caught: Share of outliers flagged at each setting, or None without outliers.
        key: Streamlit key.
    """
    data = {
        "photos": [asdict(card) for card in cards],
        "reference": asdict(reference),
        "words": asdict(words),
        "levels": list(levels),
        "level": level,
        "thresholds": list(thresholds),
        "thresholdWords": list(threshold_words),
        "alarms": list(alarms),
        "caught": None if caught is None else list(caught),
    }
    result = _component()(data=data, key=key, on_acceptance_change=_nothing, on_selected_change=_nothing)
    return Chosen(result.get("acceptance"), result.get("selected"))


@cache
def _component() -> Any:
    html, css, js = ((HERE / f"board.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    return st.components.v2.component("board", html=html, css=css, js=js)


def _nothing() -> None:
    """Streamlit wants a callback for each state that a component reports."""
