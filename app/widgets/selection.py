"""What was selected on the maps: in the link, and in numbers."""

from collections.abc import Mapping, Sequence
from functools import partial
from math import inf

import streamlit as st

from app import state
from app.components.points import Chosen, Group, Panel, Photo
from app.services import spreadsheet
from app.services.clusters import Map
from app.widgets.page import set_title
from app.widgets.points import group_key, set_of

__all__ = ["linked", "listing", "ordered_by", "remember", "selected"]

SHOWN = 500  # rows of the table on the page; the file has all
MOST = 40  # images of a selection in the link
ORDERS = {
    f"{letter}-{score}-{words}": f"{side} {score} {way}"
    for side, letter in enumerate("ab")
    for score in ("energy", "representation")
    for words, way in (("highest", 1), ("lowest", -1))
}
"""What the link says → what the browser sorts selected images by."""


def linked(maps: Sequence[Map], groups: Sequence[Group]) -> dict[str, list[int]]:
    """Name of the group → rows that the link selects; nonsense is taken out of it."""
    classes, asked = maps[0].shown.model.classes, st.query_params.get_all(state.SELECTED)
    state.sift(state.OF_CLASS, classes)
    there, names = _labels(maps), {set_of(group): group.name for group in reversed(groups)}
    found = {value: _rows(value, names, there) for value in asked}
    state.sift(state.SELECTED, [value for value, rows in found.items() if rows])
    if (name := st.query_params.get(state.OF_CLASS)) is not None:
        return _of_class(maps[0], classes.index(name))
    made: dict[str, list[int]] = {}
    for rows in found.values():
        for group, row in rows:
            made.setdefault(group, []).append(row)
    return made


def remember(maps: Sequence[Map], chosen: Chosen) -> None:
    """Write the selection into the link: the class that it is, or a few images; photos and more images are left out."""
    there = _labels(maps)
    rows = {name: [row for row in sorted(each) if (name, row) in there] for name, each in chosen.rows.items()}
    rows = {name: each for name, each in rows.items() if each}
    labels = {there[name, row] for name, each in rows.items() for row in each}
    label = labels.pop() if len(labels) == 1 else -1
    whole = label >= 0 and {name: sorted(each) for name, each in _of_class(maps[0], label).items()} == rows
    few = not whole and sum(map(len, rows.values())) <= MOST
    state.write(state.OF_CLASS, [maps[0].shown.model.classes[label]] if whole else [])
    state.write(
        state.SELECTED,
        [f"{name.rpartition(':')[0]}/{','.join(map(str, each))}" for name, each in rows.items()] if few else [],
    )


def ordered_by(told: str | None) -> str:
    """What the browser sorts by; where it told, that goes into the link, and the first one is left out of it."""
    words = next((words for words, sort in ORDERS.items() if sort == told), None)
    first = next(iter(ORDERS))
    if words is not None:
        state.write(state.ORDER, [words] if words != first else [])
    else:
        state.sift(state.ORDER, list(ORDERS))
    return ORDERS[st.query_params.get(state.ORDER, first)]


def _labels(maps: Sequence[Map]) -> dict[tuple[str, int], int]:
    """Group and row of every image on the maps → its class, or -1."""
    return {
        (group_key(one.shown, name), row): label
        for one in reversed(maps)
        for (name, row), label in zip(
            ((name, row) for name, rows in one.rows.items() for row in rows.tolist()),
            one.cloud.labels.tolist(),
            strict=True,
        )
    }


def _of_class(one: Map, label: int) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for (group, row), own in _labels([one]).items():
        if own == label:
            found.setdefault(group, []).append(row)
    return found


def _rows(text: str, names: Mapping[str, str], there: Mapping[tuple[str, int], int]) -> list[tuple[str, int]]:
    """Images of `SET/ROW,ROW`; none where one of them is not on the maps, or where they are too many."""
    name, _, numbers = text.rpartition("/")
    rows = [int(number) for number in numbers.split(",") if number.isascii() and number.isdigit() and len(number) < 7]
    found = [(names.get(name, ""), row) for row in rows]
    return found if len(found) <= MOST and all(one in there for one in found) else []


def listing(maps: Sequence[Map], panels: Sequence[Panel], chosen: Chosen) -> None:
    """What is selected, as a table and as a file."""
    columns = selected(maps, panels, chosen)
    n = len(columns["image"])
    if not n:
        return
    title, button = st.columns([3, 1], vertical_alignment="bottom")
    title.subheader("The selected images in numbers", anchor=False)
    button.download_button(
        "Download CSV",
        data=partial(spreadsheet.comma_separated, columns),
        file_name="selected-images.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        width="stretch",
    )
    shown = {name: values[:SHOWN] for name, values in columns.items()}
    st.dataframe(
        shown,
        hide_index=True,
        height=min(38 + 35 * min(n, SHOWN), 360),
        column_config={  # short titles: ten columns have to stand beside each other
            **{
                name: st.column_config.NumberColumn(name.replace("distance to it", "distance"), format="%.3f")
                for name in columns
                if name.startswith(("energy", "representation", "distance"))
            },
            **{
                name: st.column_config.TextColumn(name.replace("nearest centre", "nearest"), help="Class centre.")
                for name in columns
                if name.startswith("nearest")
            },
        },
        alt="Selected images with energy, representation score and nearest centre.",
    )
    rest = f" The first {SHOWN} of {n:,} are shown; the file has all." if n > SHOWN else ""
    st.caption(
        "Energy and representation score: higher = more out-of-distribution. Distances to the nearest centre are "
        f"those of the space.{rest} A link carries up to {MOST} selected images, or a class."
    )


def selected(maps: Sequence[Map], panels: Sequence[Panel], chosen: Chosen) -> dict[str, list[object]]:
    """Columns of the table: one line per image or photo, the highest energy of the first map first.

    Args:
        maps: One or two.
        panels: The same as they are drawn, with the photos that are placed on them.
        chosen: What of it.
    """
    lines: dict[str, dict[str, object]] = {}
    suffixes = [""] if len(maps) == 1 else [" A", " B"]
    for suffix, one, drawn in zip(suffixes, maps, panels, strict=True):
        start = 0
        for name, mapped in one.rows.items():
            wanted = set(chosen.rows.get(group_key(one.shown, name), ()))
            for place, row in enumerate(mapped.tolist(), start):
                if row in wanted:
                    line = lines.setdefault(f"{name}/{row}", {"image": f"{name}/{row}", "set": set_title(name)})
                    line.update(_line(one, place, suffix))
            start += len(mapped)
        for photo in drawn.photos:
            if photo.id.removeprefix("photo/") in chosen.photos:
                line = lines.setdefault(photo.id, {"image": photo.name, "set": photo.origin})
                line.update(_photo_line(one, photo, suffix))
    names = list(dict.fromkeys(["image", *(name for line in lines.values() for name in line)]))
    ordered = sorted(lines.values(), key=partial(_falling, names=[f"energy{suffix}" for suffix in suffixes]))
    return {name: [line.get(name) for line in ordered] for name in names}


def _falling(line: Mapping[str, object], names: Sequence[str]) -> list[float]:
    """By the first map; what is not on it comes last, by the other."""
    return [inf if (energy := line.get(name)) is None else -float(str(energy)) for name in names]


def _line(one: Map, place: int, suffix: str) -> dict[str, object]:
    label = int(one.cloud.labels[place])
    representation = None if one.representation is None else float(one.representation[place])
    near = int(one.nearest[0][place])
    distance = float(one.nearest[1][place]) if near >= 0 else None
    numbers = _numbers(one, float(one.energy[place]), representation, near, distance, suffix)
    return {"class": _class(one, label)} | numbers


def _photo_line(one: Map, photo: Photo, suffix: str) -> dict[str, object]:
    numbers = _numbers(one, photo.energy, photo.representation, photo.nearest, photo.distance, suffix)
    return {"class": _class(one, -1)} | numbers


def _numbers(
    one: Map, energy: float | None, representation: float | None, near: int, distance: float | None, suffix: str
) -> dict[str, object]:
    line: dict[str, object] = {f"energy{suffix}": energy}
    if one.representation is not None:
        line[f"representation{suffix}"] = representation
    return line | {f"nearest centre{suffix}": _class(one, near), f"distance to it{suffix}": distance}


def _class(one: Map, label: int) -> str:
    return one.shown.model.classes[label] if label >= 0 else "–"
