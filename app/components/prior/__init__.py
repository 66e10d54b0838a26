"""Bars of the outliers' classes, their margins and weights, and the outliers as points: answered in the browser.

Python sends shares for every setting of the two exponents and of the imbalance; the browser looks them up while a dial
is dragged, and reports the setting on release. Names are set as text, never as HTML.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int, UInt16

from app.components.made import made, nothing

__all__ = ["Panel", "Points", "Setting", "prior"]

ROOM = 4  # alpha's dial reaches so many times as far as where it stands at first


@dataclass(frozen=True, slots=True)
class Points:
    """Outliers that are drawn one by one.

    Args:
        energies: HIGH = out-of-distribution.
        shares: Softmax of each, 0..65535.
        labels: The class that each is taken for.
        numbers: What the set calls each picture.
        ranks: Place of each among those of its own kind; 0 where kinds do not matter.
        kinds: Which of the set's own classes each is of; 0 where they do not matter.
    """

    energies: Float32[np.ndarray, " m"]
    shares: UInt16[np.ndarray, "m k"]
    labels: Int[np.ndarray, " m"]
    numbers: Int[np.ndarray, " m"]
    ranks: Int[np.ndarray, " m"]
    kinds: Int[np.ndarray, " m"]


@dataclass(frozen=True, slots=True)
class Panel:
    """One network and one set of outliers. What depends on the imbalance is there once for each of its settings.

    Args:
        title: The network.
        subtitle: The set.
        classes: Of the network.
        counts: Outliers per class.
        average: Mean softmax.
        tempered: Tempered shares, for each imbalance and each exponent.
        taken: How many of each kind of the set are taken at each imbalance; None without the dial.
        margin: Of the energy, before anything is added.
        points: The outliers.
        pictures: Folder of their pictures, as the browser asks for it; None where there are none to show.
    """

    title: str
    subtitle: str
    classes: Sequence[str]
    counts: Sequence[Sequence[int]]
    average: Sequence[Sequence[float]]
    tempered: Float[np.ndarray, "levels gammas k"]
    taken: Sequence[Sequence[int]] | None
    margin: float
    points: Points
    pictures: str | None


class Setting(NamedTuple):
    """Where the dials stand.

    Args:
        gamma: Exponent of the prior, in the margin.
        weight: The same in the weight; None while both are one.
        alpha: How far the margin rises; None where nobody has said so yet.
        imbalance: First kind over the last.
        sort: "count" or "name".
        chosen: Name of a class, if one is looked at.
        whole: Whether all classes are shown where there are many.
    """

    gamma: float
    weight: float | None
    alpha: float | None
    imbalance: float
    sort: str
    chosen: str | None
    whole: bool = False


def prior(
    panels: Sequence[Panel],
    *,
    opened: Setting,
    gammas: Sequence[float],
    imbalances: Sequence[float],
    alpha: float,
    colour: str,
    key: str,
) -> Setting | None:
    """Draw it.

    Args:
        panels: One, or two beside each other under the same dials and on the same scales.
        opened: Where the dials stand at first; later the visitor's own holds.
        gammas: Settings of the exponents.
        imbalances: Settings of the imbalance.
        alpha: Where its dial stands at first, if nobody has said so.
        colour: Of auxiliary outliers.
        key: Streamlit key.

    Returns:
        What the visitor last settled on; None until they do.
    """
    data = {
        "panels": [_plain(panel) for panel in panels],
        "opened": opened._replace(alpha=alpha if opened.alpha is None else opened.alpha)._asdict(),
        "gammas": list(gammas),
        "imbalances": list(imbalances),
        "mostAlpha": max(ROOM * alpha, opened.alpha or 0.0),
        "colour": colour,
    }
    result = made("prior")(data=data, key=key, on_setting_change=nothing)
    told = result.get("setting")
    return None if told is None else Setting(**told)


def _plain(panel: Panel) -> dict[str, Any]:
    points = panel.points
    return {
        "title": panel.title,
        "subtitle": panel.subtitle,
        "classes": list(panel.classes),
        "counts": [list(level) for level in panel.counts],
        "average": [list(level) for level in panel.average],
        "tempered": _packed(panel.tempered, "<f4"),
        "taken": None if panel.taken is None else [list(level) for level in panel.taken],
        "margin": panel.margin,
        "energies": _packed(points.energies, "<f4"),
        "shares": _packed(points.shares, "<u2"),
        "labels": _packed(points.labels, "<u2"),
        "numbers": _packed(points.numbers, "<u4"),
        "ranks": _packed(points.ranks, "<u2"),
        "kinds": _packed(points.kinds, "<u2"),
        "pictures": panel.pictures,
    }


def _packed(values: np.ndarray, kind: str) -> str:
    """Numbers as bytes: a tenth of what they would take as text."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()
