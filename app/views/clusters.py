"""Clusters: where images lie for a network, before and after class centres were trained."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state
from app.components.points import points
from app.services import resources, samples, sheets
from app.services.clusters import Map
from app.services.resources import Exhibit
from app.services.samples import Picture
from app.widgets.clusters import (
    apart,
    chosen_settings,
    how_to_read,
    laid_out,
    missing,
    nothing_to_map,
    partners,
    picked_space,
)
from app.widgets.page import about, busy, header, no_checkpoint, sorry
from app.widgets.photos import own_photos
from app.widgets.pick import picked_checkpoint
from app.widgets.points import groups, panel, set_of, tones
from app.widgets.selection import linked as linked_selection
from app.widgets.selection import listing, ordered_by, remember
from oodcore.errors import OODError

TITLE = "Which images lie together?"
LEAD = (
    "To a network an image is a point: its **features**, a few dozen numbers. Here thousands of these points are laid "
    "flat, so that images it takes for alike lie close. **Draw around some** and see what they are – and where the "
    "same images lie for another network."
)
EMPTY = "Nothing selected. Draw around points, or click one. Shift adds, Alt takes away; arrow keys walk over the map."


class Opening(NamedTuple):
    """What the maps open with. It stays what it was while they stand: the browser knows better."""

    colour: str
    hidden: Sequence[str]  # sets
    selected: Mapping[str, Sequence[int]]
    sort: str


def render() -> None:
    """Choices on top, then the maps with what is selected, then how far classes lie apart."""
    header(TITLE, LEAD)
    folders = resources.folders()
    if not folders:
        no_checkpoint()
        return
    try:
        above, (left, *right, last) = st.columns([5, 4, 5, 4]), st.columns([9, 5, 4, 5], vertical_alignment="bottom")
        maps = chosen_maps(folders, above, right)
        if maps:
            pictures = chosen_pictures(maps[0].shown, left, last)
            found = {name: sheets.sheet(one.shown, name) for one in maps for name in one.rows}
            results(maps, pictures, found, state.here().pop("map_at", None) or opening(maps, found))
            missing(found)
            apart(maps)
            how_to_read()
            about(maps[-1].shown)
    except OODError as problem:
        sorry(problem)


def opening(maps: Sequence[Map], found: Mapping[str, sheets.Sheet | None]) -> Opening:
    """What the link says; what means nothing is taken out of it."""
    state.sift(state.COLOUR, state.COLOURS)
    state.sift(state.HIDDEN, list(found))
    return Opening(state.colour(), state.hidden(), linked_selection(maps, groups(maps, found)), ordered_by(None))


def chosen_maps(
    folders: dict[str, Path], places: Sequence[DeltaGenerator], beside: Sequence[DeltaGenerator]
) -> list[Map]:
    """One network and space, or two."""
    main = picked_checkpoint(places[0], folders, label="Checkpoint A")
    space = picked_space(places[1], main, key=state.SPACE, last=False)
    two = beside[0].toggle("Two side by side", True, key=state.TWO, bind="query-params")
    settings = chosen_settings(beside[1])
    if space is None:
        nothing_to_map(main)
        return []
    asked = [(main, space)]
    if two:
        others = partners(folders, main.name)
        second = picked_checkpoint(places[2], others, key=state.SECOND, label="Checkpoint B")
        other = picked_space(places[3], second, key=state.SECOND_SPACE, last=True)
        if other is None:
            nothing_to_map(second)
        else:
            asked.append((second, other))
            linked(main, second)
    return [laid_out(shown, folders[shown.name], where, settings) for shown, where in asked]


def linked(main: Exhibit, second: Exhibit) -> None:
    """Two networks that were measured on different images share no selection."""
    if not set(main.reference) & set(second.reference):
        st.info(
            "These two networks were measured on different images, so a selection on one map has no counterpart on the "
            "other. Choose two of one family to compare them.",
            icon=":material/link_off:",
        )


def chosen_pictures(shown: Exhibit, left: DeltaGenerator, right: DeltaGenerator) -> list[Picture]:
    """The visitor's own photos and sample sets, to be placed on the maps."""
    if shown.panel is None:
        return []
    offered = samples.groups(shown.model.classes, shown.known)
    place = right.popover("Add your photos", icon=":material/add_photo_alternate:", width="stretch")
    label = f"Up to {samples.LIMIT}, {samples.MEGABYTES} MB each"
    mine = own_photos(place, shown, label=label, key="map-photos")
    names = {
        **({"yours": f"Your photos ({len(mine)})"} if mine else {}),
        **{key: group.title for key, group in offered.items()},
    }
    usual = ["yours"] if mine else []
    state.unknown(state.PLACED, [*names, "yours"])
    state.choose_some(state.PLACED, list(names), usual)
    if mine and state.here().get("photos before") == 0:  # they have just come, whatever else is placed
        st.session_state[state.PLACED] = list(dict.fromkeys(["yours", *st.session_state[state.PLACED]]))
    state.here()["photos before"] = len(mine)
    picked = left.pills(
        "Place on the map",
        list(names),
        selection_mode="multi",
        format_func=lambda name: names[name],
        wrap=True,
        key=state.PLACED,
        help="Pictures are put among their nearest neighbours. A dashed ring means far from everything known.",
    )
    state.chosen(state.PLACED, picked, usual)
    return [
        *(mine if "yours" in picked else []),
        *(one for name in picked if name in offered for one in offered[name].pictures()),
    ]


@st.fragment
def results(
    maps: Sequence[Map],
    pictures: Sequence[Picture],
    found: Mapping[str, sheets.Sheet | None],
    opened: Opening,
) -> None:
    """The maps and what is selected on them. Selecting runs this part alone, and no network."""
    state.here()["map_at"] = opened
    waiting = partial(busy, st.empty())
    shown = groups(maps, found)
    numbers = {group.name: number for number, group in enumerate(shown)}
    panels = [
        panel(
            one,
            numbers,
            pictures,
            resources.answers(one.shown, pictures, waiting) if pictures and one.shown.panel else [],
        )
        for one in maps
    ]
    colours = {"class": "class", "set": "set", "energy": "energy"}
    if any(one.representation is not None for one in maps):
        colours["representation"] = "representation score"
    chosen = points(
        panels,
        shown,
        classes=maps[0].shown.model.classes,
        tones=tones(),
        colour=opened.colour,
        colours=colours,
        hidden=[group.name for group in shown if set_of(group) in opened.hidden],
        selected=opened.selected,
        sort=opened.sort,
        empty=EMPTY,
        file="-beside-".join(f"{one.shown.name.rpartition('/')[2]}-{one.space}" for one in maps),
        key="points",
    )
    if chosen.colour is not None:
        state.paint(chosen.colour)
    if chosen.hidden is not None:
        state.write(state.HIDDEN, [set_of(group) for group in shown if group.name in chosen.hidden])
    remember(maps, chosen)
    ordered_by(chosen.sort)
    listing(maps, panels, chosen)


render()
