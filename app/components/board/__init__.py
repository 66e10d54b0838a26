"""The dial, a histogram for each checkpoint and the lanes of photos, answered in the browser while they are dragged.

Python sends every decision of every checkpoint for every setting of the dial once; the browser looks them up and
reports the setting on release. Names and pictures are set as text and as image sources, never as HTML.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from app.components.made import made, nothing

__all__ = ["Card", "Chosen", "Panel", "Scale", "Under", "Words", "board", "contents"]


Scale = Literal["share", "p"]
"""How the dial is worded: the share of known images to keep, or the p-value at which a photo is flagged."""


@dataclass(frozen=True, slots=True)
class Under:
    """What one checkpoint makes of a photo."""

    label: str
    confidence: float
    score: float
    rank: float  # share of known images that score lower, 0..1
    rankWords: str  # noqa: N815  the browser's spelling
    scoreWords: str  # noqa: N815
    pWords: str  # noqa: N815
    keptFrom: int  # noqa: N815  first setting of the dial that keeps it; the number of settings where none does


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
    under: list[Under]  # one per panel


@dataclass(frozen=True, slots=True)
class Panel:
    """One checkpoint: two histograms over the same bins, and what happens at each setting of the dial.

    Args:
        name: Short; not shown where there is one panel alone.
        id: Heights relative to the tallest bar, 0..1; so `ood`, or None without outliers.
        thresholds: Score above which a photo is flagged, one per setting; `thresholdWords` the same as text.
        alarms: Share of held-out known images flagged at each setting.
        caught: Share of outliers flagged at each setting, or None without outliers.
        apart: How well the score tells both sets apart, in words.
        alt: What the histograms show.
    """

    name: str
    low: float
    high: float
    edges: list[float]
    id: list[float]
    ood: list[float] | None
    thresholds: list[float]
    thresholdWords: list[str]  # noqa: N815
    alarms: list[float]
    caught: list[float] | None
    apart: str
    alt: str


@dataclass(frozen=True, slots=True)
class Words:
    """Sentences around the board."""

    dial: str
    same: str  # what the p-value is and that it decides the same; {p} and {share} stand for the dial
    alarms: str
    caught: str
    known: str
    outliers: str
    axis: str


class Chosen(NamedTuple):
    """What the visitor last settled on; None until they do."""

    acceptance: float | None
    scale: Scale | None
    photo: str | None


def contents(
    *, cards: Sequence[Card], panels: Sequence[Panel], words: Words, levels: Sequence[float]
) -> Mapping[str, Any]:
    """What is on the board wherever the dial stands, as the browser takes it.

    Args:
        cards: Photos in any order.
        panels: One per checkpoint, the main one first: lanes, and numbers on cards, follow it.
        words: Sentences around it.
        levels: Settings of the dial: shares of known images to keep, rising, 0..1.
    """
    return {
        "photos": [asdict(card) for card in cards],
        "panels": [asdict(panel) for panel in panels],
        "words": asdict(words),
        "levels": list(levels),
    }


def board(shown: Mapping[str, Any], *, level: int, scale: Scale, selected: str | None, key: str) -> Chosen:
    """Draw the board.

    Args:
        shown: From `contents`.
        level: Index of the setting it opens with; later the visitor's own holds.
        scale: Wording it opens with; likewise.
        selected: Photo that is looked at when it opens; None is the first, as where it is no longer there.
        key: Streamlit key.
    """
    result = made("board")(
        data={**shown, "level": level, "scale": scale, "selected": selected},
        key=key,
        on_acceptance_change=nothing,
        on_scale_change=nothing,
        on_selected_change=nothing,
    )
    return Chosen(result.get("acceptance"), result.get("scale"), result.get("selected"))
