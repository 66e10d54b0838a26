"""Maps of thousands of images, one or two side by side, with one selection; drawn, zoomed and lassoed in the browser.

Numbers travel as base64 of their bytes, a tenth of a list of texts. Names are set as text, never as HTML.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from app.components.made import made, nothing

__all__ = ["Center", "Chosen", "Group", "Panel", "Photo", "Range", "Tile", "Tones", "points"]


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture of many thumbnails, row by row; number ROW belongs to the image SET/ROW."""

    url: str
    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Group:
    """A set of images; `name` begins the ids of its images."""

    name: str
    title: str
    role: str  # "id", "aux" or "ood"
    sheet: Tile | None


@dataclass(frozen=True, slots=True)
class Center:
    """A class centre on the map."""

    x: float
    y: float
    owner: int


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture of the visitor's, placed on a finished map; `id` begins with "photo/"."""

    id: str
    name: str
    source: str  # a data URI
    x: float
    y: float
    energy: float | None
    representation: float | None
    nearest: int
    distance: float | None  # to that centre, where there is one
    far: bool
    reach: str
    origin: str = "placed, not fitted"


@dataclass(frozen=True, slots=True)
class Range:
    """Where the colours of a score begin, turn and end."""

    low: float
    middle: float
    high: float
    words: str


@dataclass(frozen=True)
class Panel:
    """One map. All arrays have one entry per point.

    Args:
        key: Stands for the map; zoom is kept while it stays.
        title: Of the checkpoint and the space.
        words: What is drawn, as "UMAP, seed 0".
        note: Below the map; empty for nothing.
        set: Number of the group.
        row: Within the group's reference.
        label: The class of in-distribution images, else -1.
        nearest: Class of the nearest centre, or -1.
        scores: "energy", and "representation" where the network has one.
        scales: The same names.
        trained: Whether the centres were trained: stars instead of crosses.
    """

    key: str
    title: str
    words: str
    note: str
    x: Any
    y: Any
    set: Any
    row: Any
    label: Any
    nearest: Any
    scores: Mapping[str, Any]
    scales: Mapping[str, Range]
    centers: Sequence[Center]
    trained: bool
    photos: Sequence[Photo]

    def packed(self) -> dict[str, Any]:
        """For the browser."""
        return {
            "key": self.key,
            "title": self.title,
            "words": self.words,
            "note": self.note,
            **{name: _packed(getattr(self, name), np.float32) for name in ("x", "y")},
            **{name: _packed(getattr(self, name), np.int16) for name in ("set", "row", "label", "nearest")},
            **{name: _packed(self.scores.get(name), np.float32) for name in ("energy", "representation")},
            "scales": {name: asdict(scale) for name, scale in self.scales.items()},
            "centers": [asdict(center) for center in self.centers],
            "trained": self.trained,
            "photos": [{**asdict(photo), "from": photo.origin} for photo in self.photos],
        }


@dataclass(frozen=True, slots=True)
class Tones:
    """Colours of the canvas, which knows no style sheet; six hex digits each."""

    id: str
    ood: str
    aux: str
    text: str
    mute: str
    page: str
    middle: str
    oodText: str  # noqa: N815  the browser's spelling
    classes: tuple[str, ...]


class Chosen(NamedTuple):
    """What the visitor last settled on."""

    rows: Mapping[str, Sequence[int]]  # name of the group → rows
    photos: Sequence[str]  # ids without "photo/"
    colour: str | None  # None until they choose one
    hidden: Sequence[str] | None = None  # names of groups; None until they hide or show one
    sort: str | None = None  # as `points` takes it; None until they choose one


def points(
    panels: Sequence[Panel],
    groups: Sequence[Group],
    *,
    classes: Sequence[str],
    tones: Tones,
    colour: str,
    colours: Mapping[str, str],
    hidden: Sequence[str],
    selected: Mapping[str, Sequence[int]],
    sort: str,
    empty: str,
    file: str,
    key: str,
) -> Chosen:
    """Draw the maps.

    Args:
        panels: One or two.
        groups: What `Panel.set` counts through.
        classes: Names of the classes.
        tones: See `Tones`.
        colour: What points are coloured by at first; later the visitor's own choice holds.
        colours: Name → words, of what they may be coloured by: "set", "class", "energy", "representation".
        hidden: Names of groups that are hidden at first; later the visitor's own choice holds.
        selected: Name of the group → rows that are selected at first; later the visitor's own selection holds.
        sort: Panel, score and direction that selected images are ordered by at first, as "0 energy 1"; likewise.
        empty: What to do while nothing is selected.
        file: Name of saved files, without ending.
        key: Streamlit key.
    """
    data = {
        "panels": [panel.packed() for panel in panels],
        "sets": [asdict(group) for group in groups],
        "classes": list(classes),
        "tones": asdict(tones),
        "colour": colour,
        "colours": [{"key": name, "title": title} for name, title in colours.items()],
        "hidden": list(hidden),
        "selected": {name: list(rows) for name, rows in selected.items()},
        "sort": sort,
        "empty": empty,
        "file": file,
    }
    result = made("points")(
        data=data,
        key=key,
        on_selected_change=nothing,
        on_colour_change=nothing,
        on_hidden_change=nothing,
        on_sort_change=nothing,
    )
    told = result.get("selected")
    rows = dict(selected if told is None else told)
    photos = rows.pop("photo", [])
    return Chosen(rows, photos, result.get("colour"), result.get("hidden"), result.get("sort"))


def _packed(values: Any, kind: type[np.generic]) -> str | None:
    return None if values is None else base64.b64encode(np.ascontiguousarray(values, kind).tobytes()).decode()
