"""Blocks: which block of a network sees the whole object, and what its norm says of a picture."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from app import state
from app.charts.blocks import Columns
from app.components.tray import Thumb, tray
from app.services import blocks, resources, samples
from app.services.blocks import Choice
from app.services.resources import Exhibit
from app.services.samples import Picture, Prepared, prepared
from app.widgets.blocks import drawn_strip, formulas, jigsaw_preview, norm_in_others, table, verdict
from app.widgets.page import about, busy, header, no_checkpoint, sorry, unfitted
from app.widgets.photos import own_photos
from app.widgets.pick import linked_picture, picked_checkpoint, picked_outliers
from oodcore.errors import OODError
from oodcore.evaluate.blocks import below

TITLE = "Which block sees the whole object?"
LEAD = (
    "A network is a chain of blocks. A block that has learned whole objects answers a known picture strongly (a large "
    "**FeatureNorm**), and grows quiet when the picture is cut up, or shows something new. **NormRatio** finds that "
    "block by cutting up training pictures: no outliers are needed."
)


def render() -> None:
    """Choices on top; then the pictures, and everything that the chosen one changes."""
    header(TITLE, LEAD)
    folders = resources.folders()
    if not folders:
        no_checkpoint()
        return
    left, right, _ = st.columns([5, 4, 4])
    try:
        shown = picked_checkpoint(left, folders)
        if shown.panel is None:
            unfitted(shown)
            return
        words = "They only show whether the choice was right; NormRatio never sees them."
        against = picked_outliers(right, shown, words)
        pictures = offered(shown)
        chosen = blocks.choice(shown, partial(busy, st.empty()))
        results(shown, against, chosen, pictures)
        if chosen is not None and against is not None:
            norm_in_others(shown, chosen, against)
        formulas()
        about(shown)
    except OODError as problem:
        sorry(problem)


def offered(shown: Exhibit) -> list[Picture]:
    """Every sample, and the visitor's own photos."""
    place = st.popover("Add your own photos", icon=":material/add_photo_alternate:")
    label = f"Up to {samples.LIMIT}, {samples.MEGABYTES} MB each"
    own = own_photos(place, shown, label=label, key="block-photos")
    groups = samples.groups(shown.model.classes, shown.known)
    return [*own, *(picture for group in groups.values() for picture in group.pictures())]


@st.fragment
def results(shown: Exhibit, against: str | None, chosen: Choice | None, pictures: Sequence[Picture]) -> None:
    """Everything that another picture, or another shuffle, changes."""
    picture = linked_picture(pictures) or pictures[0]
    picked = tray(thumbs(shown, pictures), chosen=picture.id, label="Picture to look at", key="tray")
    if picked is not None and picked != state.here().get("tray-said"):
        state.here()["tray-said"] = picked
        picture = next((one for one in pictures if one.id == picked), picture)
        state.look_at(picture.id)
    view = prepared(picture, shown.model.transform)
    assert isinstance(view, Prepared)  # noqa: S101  those that cannot be read are not offered
    seed = state.seed()
    shuffled = blocks.jigsaws(shown, picture, seed, partial(busy, st.empty()))
    found = blocks.strip(shown, shown.key, against)
    columns = Columns(
        found.names,
        None if chosen is None else chosen.selected,
        found.known.numpy(),
        None if found.outliers is None else found.outliers.numpy(),
        shuffled.whole.numpy(),
        shuffled.cut.numpy(),
        None if chosen is None else chosen.ratios.numpy(),
        shuffled.ratios.numpy(),
        None if against is None else found.aurocs[against].numpy(),
    )
    shares = below(shown.reference[shown.known or ""], shuffled.whole).tolist()
    facts, drawing = st.columns([3, 9], gap="medium")
    with facts:
        verdict(picture, view, columns, shares)
    with drawing:
        drawn_strip(found, columns, against, (shown.key, against, picture.id, picture.coding, seed))
    title, button = st.columns([3, 1], vertical_alignment="bottom")
    title.subheader("Cut into nine and shuffled", anchor=False)
    button.button(
        "Shuffle again",
        icon=":material/shuffle:",
        type="primary",
        width="stretch",
        on_click=state.reseed,
        help=f"Other orders of the nine tiles. The link keeps the seed, now {seed}.",
    )
    at = len(found.names) - 2 if chosen is None else chosen.selected
    jigsaw_preview(view, shuffled, found.names, at)
    st.subheader("Every block", anchor=False)
    table(found, columns, shares)


def thumbs(shown: Exhibit, pictures: Sequence[Picture]) -> list[Thumb]:
    """For the tray."""
    plural = {"photograph": "photographs", "texture": "textures", "yours": "your photos"}
    return [
        Thumb(one.id, view.original, one.name, plural.get(one.group, f"{one.group}s"))
        for one in pictures
        if isinstance(view := prepared(one, shown.model.transform), Prepared)
    ]


render()
