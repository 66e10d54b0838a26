"""Outlier prior: which classes auxiliary outliers crowd into, and what balanced energy makes of it."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state, theme
from app.components.prior import Setting, prior
from app.services import family, outliers, resources
from app.services.spreadsheet import stacked
from app.widgets.figure import takeaway
from app.widgets.page import about, header, no_checkpoint, sorry
from app.widgets.pick import picked_checkpoint
from app.widgets.prior import (
    OUTLIERS,
    Side,
    by_class,
    by_outlier,
    doubts,
    linked,
    panel,
    picked_outliers,
    remember,
    taken_for,
    wanted,
    why,
)
from oodcore.errors import OODError

TITLE = "Where do the outliers crowd?"
LEAD = (
    "A network must give every picture one of its classes, even an outlier – and it gives **some classes far more "
    "often than others**. Here you see that crowd, what an exponent γ makes of it, and how far *balanced energy* "
    "raises the margin of each class because of it."
)
TWICE, SECOND = "side-by-side", "-2"


def render() -> None:
    """Choices on top, then the panels with their dials, one class closely, and why."""
    header(TITLE, LEAD)
    opened = state.here().pop("panels", None)  # set again below, so that it is absent without panels
    folders = resources.folders()
    if not folders:
        no_checkpoint()
        return
    try:
        sides = chosen_sides(folders)
        if sides:
            results(sides, opened or linked(every_class(sides)))
        why()
        if sides:
            about(sides[0].shown)
    except OODError as problem:
        sorry(problem)


def chosen_sides(folders: dict[str, Path]) -> list[Side]:
    """One network and one set, or two; those that must be counted first say so and are left out."""
    places = st.columns([5, 6, 3], vertical_alignment="bottom")
    first = chosen_side(places[:2], folders, "", "Checkpoint", "Outliers")
    twice = places[2].toggle(
        "Side by side", key=TWICE, bind="query-params", help="A second checkpoint or a second set."
    )
    if not twice:
        return first
    places = st.columns([5, 6, 3], vertical_alignment="bottom")
    natural = family.usual(folders, first[0].shown.name)[-1:] if first else []
    partners = {name: folders[name] for name in [*natural, *folders]}
    return [*first, *chosen_side(places[:2], partners, SECOND, "Second checkpoint", "Second outliers")]


def chosen_side(places: Sequence[DeltaGenerator], folders: dict[str, Path], suffix: str, *labels: str) -> list[Side]:
    """One of them, if its outliers are counted."""
    shown = picked_checkpoint(places[0], folders, key=state.CHECKPOINT + suffix, label=labels[0])
    folder = folders[shown.name]
    name = picked_outliers(places[1], folder, shown, key=OUTLIERS + suffix, label=labels[1])
    found = outliers.source(folder, shown, name)
    if found is None:
        wanted(folder, shown, name)
        return []
    return [Side(folder, shown, found, outliers.margins(folder, shown, found))]


def every_class(sides: Sequence[Side]) -> list[str]:
    """Names of the classes of all networks."""
    return [name for side in sides for name in side.shown.model.classes]


@st.fragment
def results(sides: Sequence[Side], opened: Setting) -> None:
    """Everything that the dials move. Releasing one runs this part alone, and no network.

    `opened` stays what it was while the panels stand: the browser knows better where the dials are, and data that does
    not change is not sent again.
    """
    state.here()["panels"] = opened
    alpha, colour = sides[0].margins.alpha, theme.palette(st.context.theme.type).aux
    with st.container(key="figure-outlier-prior", gap=None):
        told = prior(
            [panel(side) for side in sides],
            opened=opened,
            gammas=outliers.GAMMAS,
            imbalances=outliers.IMBALANCES,
            alpha=alpha,
            colour=colour,
            key="prior",
        )
        told = told or opened
        remember(told if told.chosen in every_class(sides) else told._replace(chosen=None), alpha)
        setting = linked(every_class(sides))
        columns = by_class(sides, setting)
        takeaway("outlier-prior", stacked({"classes": columns, "outliers": by_outlier(sides, setting)}))
    doubts(sides, setting)
    for place, (turn, side) in zip(st.columns(len(sides), gap="large"), enumerate(sides), strict=True):
        with place:
            taken_for(side, setting, colour, key=f"gallery-{turn}")
    with st.expander("The numbers of this picture", icon=":material/table:"):
        st.dataframe(columns, hide_index=True, height="content", alt="Shares, margins and weights by class.")


render()
