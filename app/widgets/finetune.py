"""The form of the Fine-tune page: loss, setting, images, and every number with a sentence on what it does."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state
from app.services import changed, tuning
from app.services.resources import Exhibit
from app.widgets import settings
from app.widgets.page import plain
from app.widgets.sets import auxiliary_title
from oodcore.config import Experiment, Margins, read_experiment
from oodcore.data import Entry
from oodcore.jobs.settings import LOSSES, Basis, adapted, presets
from oodcore.losses import losses
from oodcore.train.margins import PUBLISHED_GAP
from oodcore.train.recipe import Recipe

__all__ = ["Wanted", "form", "picked_loss"]

SHORT, USUAL = "short", "energy"
KNOWN = "known"
HELP = {
    "Known images": "What the network was trained to tell apart, and keeps learning while it meets outliers.",
    "Auxiliary outliers": "What the network learns to doubt, never pictures that it is tested on.",
}
MEASURED, FIXED = "from this network’s energies", "as numbers"
IDEAS = {
    "outlier_exposure": "Answers on outliers are drawn to **uniform**: no class should win.",
    "energy": "Energies of known images sink **below one margin**, those of outliers rise **above another**.",
    "balanced_energy": "As energy, but outliers of **crowded classes** are pushed further and count more.",
    "semantic_energy": "As energy, and features gather round **class centres**, away from which outliers are pushed.",
}
FIRST = {"train": ("steps", "lr"), "loss": ("weight", "alpha", "gamma", "weight_cluster", "weight_push")}
LATER = (
    "batch", "outlier_batch", "batch_norm", "trainable", "weight_decay", "momentum", "lr_end", "pad", "flip", "ema",
    "precision", "seed",
)  # fmt: skip
MARGINS, PERCENTILES = ("margin_in", "margin_out"), ("inside", "outside")
NOTHING = "automatic"


class Wanted(NamedTuple):
    """What the form asks for."""

    experiment: Experiment
    basis: Basis


def form(shown: Exhibit, loss: str, button: Callable[[DeltaGenerator, Wanted], None]) -> None:
    """Draw it.

    Args:
        shown: The checkpoint.
        loss: What it is trained with.
        button: Draws what starts it, above the numbers, where it is seen.

    Raises:
        OODError: the images are not here, or the numbers cannot be; a sentence either way.
    """
    with st.container(border=True):
        basis = tuning.basis(shown, *_images(shown))
        source = _preset(loss, basis)
    place = st.container()
    start = adapted(basis, loss, source)
    if start.changes:
        with st.expander("What was adapted", icon=":material/tune:"):
            st.markdown("\n".join(f"- {plain(change)}" for change in start.changes))
            if start.source:
                st.caption(f"Setting: {plain(start.source)}")
    key = f"{basis.checkpoint} {loss} {source} {basis.inside.name} {basis.outliers}"
    with st.container(border=True, key="finetune-numbers"):
        values = _numbers(start.experiment.to_json(), loss, key)
    defaults = {table: _defaults(cls) for table, cls in (("train", Recipe), ("loss", losses[loss]))}
    state.link(state.NUMBERS, changed.written(start.experiment.to_json(), values, defaults), "")
    wanted = Wanted(Experiment.from_json(values), basis)
    tuning.require_possible(wanted.experiment)
    button(place, wanted)


def picked_loss(place: DeltaGenerator) -> str:
    """The link's, or the usual one; with its idea and its formula below."""
    if stray := state.stray(state.LOSS, LOSSES):
        st.warning(
            f"This link asks for the loss '{plain(stray)}', which is not one of these.", icon=":material/link_off:"
        )
    state.choose(state.LOSS, LOSSES, USUAL)
    loss = place.segmented_control(
        "Loss",
        LOSSES,
        format_func=lambda name: losses[name].about.title,
        key=state.LOSS,
        required=True,
        width="stretch",
        wrap=True,
    )
    loss = loss or USUAL
    state.chosen(state.LOSS, loss, USUAL)
    idea, written = st.columns([4, 8], vertical_alignment="center")
    idea.markdown(IDEAS[loss])
    formula = (losses[loss].__doc__ or "").strip().splitlines()[0]
    written.caption(f"{formula} {plain(losses[loss].about.source)}.")
    return loss


def _images(shown: Exhibit) -> tuple[Entry, str]:
    """Known images and auxiliary outliers: all of the catalogue, those first that are on this server."""
    places = st.columns(2)
    insides = {each.name: each for each in tuning.insides_for(shown)}
    inside = insides[_picked_set(places[0], "Known images", insides, next(iter(insides)), key=KNOWN)]
    names = tuning.outliers_for(inside)
    crowded = next((name for name, each in names.items() if name.endswith("-50") and each.present()), next(iter(names)))
    return inside, _picked_set(places[1], "Auxiliary outliers", names, crowded, key=state.AUXILIARY)


def _picked_set(place: DeltaGenerator, label: str, sets: Mapping[str, Entry], usual: str, *, key: str) -> str:
    """The link's, or the usual one; a set that is not here says so."""

    def titled(name: str) -> str:
        return auxiliary_title(name) + ("" if sets[name].present() else " – not on this server")

    if stray := state.stray(key, list(sets)):
        st.warning(
            f"This link asks for the images '{plain(stray)}', which are not offered for this checkpoint. Showing "
            f"'{usual}'.",
            icon=":material/link_off:",
        )
    state.choose(key, list(sets), usual)
    picked = place.selectbox(label, list(sets), format_func=titled, key=key, help=HELP[label])
    state.chosen(key, picked, usual)
    return picked


def _preset(loss: str, basis: Basis) -> str | None:
    known = [*presets(loss, basis), SHORT]
    if stray := state.stray(state.PRESET, known):
        st.warning(
            f"This link asks for the setting '{plain(stray)}', which does not apply here. Showing '{known[0]}'.",
            icon=":material/link_off:",
        )
    state.choose(state.PRESET, known, known[0])
    picked = st.selectbox(
        "Setting",
        known,
        format_func=_setting,
        key=state.PRESET,
        help="Published settings and this project’s own, adapted to this checkpoint and to a short run.",
    )
    state.chosen(state.PRESET, picked, known[0])
    return None if picked == SHORT else picked


def _setting(name: str) -> str:
    return "The loss’s own defaults" if name == SHORT else read_experiment(name).title


def _numbers(values: dict[str, Any], loss: str, key: str) -> dict[str, Any]:
    """Every number in a row with its sentence; the changed values."""
    rows = Rows(values, {"train": Recipe, "loss": losses[loss], "margins": Margins}, key)
    came = state.here().setdefault(state.NUMBERS, (key, st.query_params.get(state.NUMBERS, "")))
    if came[0] == key:  # numbers of a link belong to the loss and the setting of that link
        strays = changed.applied(came[1], values, rows.hints)
        if strays:
            st.warning(
                f"This link sets numbers that do not apply here: {plain(', '.join(strays))}.",
                icon=":material/link_off:",
            )
    for table, names in FIRST.items():
        for name in names:
            rows.draw(table, name)
    if "margin_in" in rows.hints["loss"]:
        rows.margins()
    with st.expander("More settings", icon=":material/settings:"):
        drawn = {*FIRST["loss"], *MARGINS}
        for name in rows.hints["loss"]:
            if name not in drawn:
                rows.draw("loss", name)
        if values["margins"] is not None and "alpha" in rows.hints["loss"]:
            rows.draw("margins", "alpha_gap")
        for name in LATER:
            rows.draw("train", name)
    return rows.values


class Rows:
    """Inputs, one below the other, and what they say.

    Args:
        values: Of the experiment; changed in place.
        classes: Table → the dataclass whose fields its keys are.
        key: Another one opens the inputs anew.
    """

    def __init__(self, values: dict[str, Any], classes: Mapping[str, type[Any]], key: str) -> None:
        self.values, self.key = values, key
        self.hints = {table: _fields(cls) for table, cls in classes.items()}
        shown = {*FIRST["train"], *LATER}  # no link sets what the page does not show
        self.hints["train"] = {name: hint for name, hint in self.hints["train"].items() if name in shown}
        self.hints["train"]["steps"] = int  # what lines up says how long it takes
        self.defaults = {table: _defaults(cls) for table, cls in classes.items()}

    def draw(self, table: str, name: str) -> None:
        """One of them, where the table has it."""
        if name not in self.hints[table]:
            return
        now = self.values[table].get(name, self.defaults[table][name])
        place, loss = f"{table}.{name}", self.values["loss"]["name"]
        left, right = st.columns([4, 7], vertical_alignment="center", gap="medium")
        with left:
            key, help_ = f"{self.key} {table} {name}", f"`{place}` in experiment files"
            said = _input(settings.title(place, loss), now, self.hints[table][name], key, help_)
        right.caption(settings.sentence(place, loss))
        self.values[table][name] = said

    def margins(self) -> None:
        """Measured by default: published numbers belong to one network."""
        rule, loss = self.values["margins"], self.values["loss"]
        st.markdown("**Energy margins**")
        way = st.segmented_control(
            "Energy margins",
            [MEASURED, FIXED],
            default=FIXED if rule is None else MEASURED,
            key=f"{self.key} margins",
            required=True,
            label_visibility="collapsed",
        )
        if way == MEASURED:
            gap = PUBLISHED_GAP if "alpha" in self.hints["loss"] else None
            rule = rule or {**changed.MEASURED, "alpha_gap": gap}
            for name in PERCENTILES:
                left, right = st.columns([4, 7], vertical_alignment="center", gap="medium")
                with left:
                    rule[name] = st.number_input(
                        settings.title(f"margins.{name}"),
                        0.0,
                        100.0,
                        float(rule[name]),
                        5.0,
                        format="%g",
                        key=f"{self.key} margins {name}",
                        help=f"`margins.{name}` in experiment files",
                    )
                right.caption(settings.sentence(f"margins.{name}", loss["name"]))
            self.values["margins"] = rule
            for name in MARGINS:
                loss.pop(name, None)
            return
        self.values["margins"] = None
        for name in MARGINS:
            self.draw("loss", name)


def _fields(cls: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {each.name: hints[each.name] for each in fields(cls)}


def _defaults(cls: type[Any]) -> dict[str, Any]:
    return {each.name: each.default for each in fields(cls)}


def _input(title: str, value: Any, hint: Any, key: str, help_: str) -> Any:
    """A widget for a field of this type."""
    if hint is bool:
        return st.toggle(title, value, key=key, help=help_)
    if get_origin(hint) is Literal:
        options = list(get_args(hint))
        return st.selectbox(title, options, index=options.index(value), key=key, help=help_)
    if hint is int or int in get_args(hint):
        return st.number_input(title, min_value=0, value=value, step=1, key=key, help=help_)
    number = None if value is None else float(value)
    step = 10.0 ** _digits(number)
    return st.number_input(title, value=number, step=step, format="%g", key=key, placeholder=NOTHING, help=help_)


def _digits(value: float | None) -> int:
    """Power of ten of a sensible step."""
    size = abs(value or 1.0)
    return next((power for power in range(0, -7, -1) if size >= 10.0**power), -7) - (1 if size < 10 else 0)
