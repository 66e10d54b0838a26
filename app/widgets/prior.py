"""Pieces of the Outlier prior page: what still has to be counted, the panels, the outliers of a class, and why."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state, theme
from app.charts.prior import growing
from app.components.gallery import Item, gallery
from app.components.prior import Panel, Points, Setting
from app.services import jobs, outliers
from app.services.outlier_pictures import numbered, pictures, thumbnails
from app.services.outliers import Margins, Source
from app.services.resources import Exhibit, is_auxiliary
from app.widgets.figure import figure
from app.widgets.jobs import EVERY, progress
from app.widgets.page import plain, set_title, sorry
from oodcore.data import entry
from oodcore.errors import DataError, OODError
from oodcore.jobs.queue import Job
from oodcore.losses.balanced_energy import BalancedEnergyObjective

__all__ = [
    "Side",
    "by_class",
    "by_outlier",
    "doubts",
    "linked",
    "panel",
    "picked_outliers",
    "remember",
    "taken_for",
    "wanted",
    "why",
]

OUTLIERS, GAMMA, WEIGHT, ALPHA, IMBALANCE, SORT, CLASS, CLASSES = (
    "outliers", "gamma", "weight-gamma", "alpha", "imbalance", "sort", "class", "classes",
)  # fmt: skip
USUAL = {GAMMA: 0.75, IMBALANCE: 50.0}  # of the published long-tailed settings, and of the shipped networks' outliers
MOST = 24  # pictures of one class


class Side(NamedTuple):
    """One network with one set of outliers."""

    folder: Path
    shown: Exhibit
    found: Source
    margins: Margins

    def fitted(self, setting: Setting) -> BalancedEnergyObjective:
        """The loss at a setting of the dials."""
        counts = outliers.at(self.found, setting.imbalance).counts
        alpha = self.margins.alpha if setting.alpha is None else setting.alpha
        return outliers.objective(counts, self.margins, setting.gamma, setting.weight, alpha)


def picked_outliers(place: DeltaGenerator, folder: Path, shown: Exhibit, *, key: str, label: str) -> str:
    """The link's, or the first."""
    names = outliers.offered(folder, shown)
    usual = names[0]
    if stray := state.stray(key, names):
        st.warning(
            f"This link points to outliers '{plain(stray)}', which this checkpoint is not shown with. "
            f"Showing '{usual}' instead.",
            icon=":material/link_off:",
        )
    state.choose(key, names, usual)
    name = place.selectbox(
        label,
        names,
        format_func=_title,
        key=key,
        help="Auxiliary outliers are shown to a network while it is trained. Sets for tests never are; they stand here "
        "for comparison.",
    )
    state.chosen(key, name, usual)
    return name


def _title(name: str) -> str:
    if name == outliers.DRAWN:
        return "Drawn look-alikes, crowding yours to choose"
    return set_title(name) if is_auxiliary(name) else f"{set_title(name)} – for tests alone"


def wanted(folder: Path, shown: Exhibit, name: str) -> None:
    """A set that this network has not seen yet: how to get it, the job that counts it, or a button that starts one."""
    known = entry(name)
    if not known.present():
        st.info(f"'{plain(known.title)}' is not on this server. {plain(known.how)}", icon=":material/folder_off:")
        return
    job = outliers.ordered(folder, shown, name)
    if job is not None:
        progress(job)
        if job.standing.active:
            st.fragment(_growing, run_every=EVERY)(job, shown.model.classes)
            st.caption("You can leave this page; the count goes on, and is kept for everyone.")
            return
    with st.container(border=True):
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.markdown(
            f"**Not counted yet.** '{plain(shown.name)}' looks once at every picture of '{plain(_title(name))}'. "
            "The result is kept, so nobody waits for it again."
        )
        if right.button("Count them", type="primary", icon=":material/tag:", key=f"count-{name}", width="stretch"):
            try:
                order = outliers.order(folder, shown, name)
                jobs.queue().submit("prior", order, owner=jobs.owner(), title=f"Count {name} with {shown.name}")
            except OODError as problem:
                sorry(problem)
                return
            st.rerun()


def _growing(job: Job, classes: Sequence[str]) -> None:
    """Where the outliers fall, as far as they are counted."""
    counts = outliers.counts_so_far(job)
    if not counts:
        return
    most = max(range(len(classes)), key=counts.__getitem__)
    figure(
        growing(classes, counts, theme.palette(st.context.theme.type)),
        {"class": classes, "outliers so far": counts},
        name=f"counts-{job.id}",
        alt=f"Outliers by class so far; most, {counts[most]:,}, are taken for {classes[most]}.",
    )


def panel(side: Side) -> Panel:
    """What the browser draws."""
    made, census = outliers.tables(side.found), side.found.census
    return Panel(
        title=side.shown.name,
        subtitle=_title(census.name),
        classes=side.shown.model.classes,
        counts=made.counts,
        average=made.average,
        tempered=made.tempered,
        taken=made.taken,
        margin=side.margins.outside,
        points=Points(
            made.energies,
            made.shares,
            made.labels,
            numbered(side.found, census),
            made.ranks,
            made.kinds,
        ),
        pictures=thumbnails(side.found),
    )


def linked(classes: Sequence[str]) -> Setting:
    """What the link asks for; nonsense counts as absent.

    Args:
        classes: That may be chosen.
    """
    chosen = st.query_params.get(CLASS)
    gamma, imbalance = _setting(GAMMA, outliers.GAMMAS), _setting(IMBALANCE, outliers.IMBALANCES)
    return Setting(
        gamma=USUAL[GAMMA] if gamma is None else gamma,
        weight=_setting(WEIGHT, outliers.GAMMAS),
        alpha=_number(ALPHA, 0, 1e4),
        imbalance=USUAL[IMBALANCE] if imbalance is None else imbalance,
        sort="name" if st.query_params.get(SORT) == "name" else "count",
        chosen=chosen if chosen in classes else None,
        whole=st.query_params.get(CLASSES) == "all",
    )


def remember(setting: Setting, alpha: float) -> None:
    """Write the setting into the link; defaults, as `alpha` is for its dial, are left out of it."""
    values = {
        GAMMA: "" if setting.gamma == USUAL[GAMMA] else f"{setting.gamma:g}",
        WEIGHT: "" if setting.weight is None else f"{setting.weight:g}",
        ALPHA: "" if setting.alpha is None or abs(setting.alpha - alpha) < 1e-3 else f"{setting.alpha:.4g}",
        IMBALANCE: "" if setting.imbalance == USUAL[IMBALANCE] else f"{setting.imbalance:g}",
        SORT: "" if setting.sort == "count" else setting.sort,
        CLASS: setting.chosen or "",
        CLASSES: "all" if setting.whole else "",
    }
    for key, value in values.items():
        state.link(key, value)


def _setting(key: str, settings: Sequence[float]) -> float | None:
    """The nearest one of a dial."""
    value = _number(key, settings[0], settings[-1])
    return None if value is None else min(settings, key=lambda setting: abs(setting - value))


def _number(key: str, low: float, high: float) -> float | None:
    try:
        value = float(st.query_params.get(key, ""))
    except ValueError:
        return None
    return value if low <= value <= high else None


def by_class(sides: Sequence[Side], setting: Setting) -> dict[str, list[object]]:
    """Everything that is drawn, as columns."""
    parts = [
        outliers.numbers(side.shown, outliers.at(side.found, setting.imbalance), side.fitted(setting)) for side in sides
    ]
    return _of_sides(sides, parts, "class")


def by_outlier(sides: Sequence[Side], setting: Setting) -> dict[str, list[object]]:
    """Every point that is drawn, as columns."""
    parts = [
        outliers.points(side.shown, outliers.at(side.found, setting.imbalance), side.fitted(setting)) for side in sides
    ]
    return _of_sides(sides, parts, "class")


def _of_sides(sides: Sequence[Side], parts: Sequence[Mapping[str, list[object]]], one: str) -> dict[str, list[object]]:
    """Tables of the sides below each other; `one` is a column of theirs."""
    columns: dict[str, list[object]] = {
        "checkpoint": [side.shown.name for side, part in zip(sides, parts, strict=True) for _ in part[one]],
        "set": [side.found.census.name for side, part in zip(sides, parts, strict=True) for _ in part[one]],
    }
    return columns | {title: [value for part in parts for value in part[title]] for title in parts[0]}


def doubts(sides: Sequence[Side], setting: Setting) -> None:
    """Where the numbers and margins come from, and what a careful reader would ask of them."""
    for side in sides:
        name = f"**{plain(side.shown.name)}:** " if len(sides) > 1 else ""
        st.caption(
            f"{name}Counts: {side.found.words}{_thinned(side, setting)}. Margins: {side.margins.words} "
            f"(m = {theme.number(side.margins.outside)}; α = {theme.number(side.margins.alpha)} at this scale)."
        )
        for finding in outliers.findings(side.shown, outliers.at(side.found, setting.imbalance), setting.gamma):
            icon = ":material/info:" if finding.severity == "note" else ":material/warning:"
            (st.info if finding.severity == "note" else st.warning)(plain(str(finding)), icon=icon)


def _thinned(side: Side, setting: Setting) -> str:
    if not side.found.tunable:
        return ""
    taken = outliers.at(side.found, setting.imbalance).images
    return (
        f"; {taken:,} of them are taken at {setting.imbalance:g} : 1, all of the first kind and ever fewer of the next"
    )


def taken_for(side: Side, setting: Setting, colour: str, *, key: str) -> None:
    """Pictures of the outliers of one class, those that look most typical to the network first."""
    if setting.chosen is None or setting.chosen not in side.shown.model.classes:
        return
    census, label = outliers.at(side.found, setting.imbalance), side.shown.model.classes.index(setting.chosen)
    rows = (census.logits.argmax(dim=1) == label).nonzero().flatten()
    energies = census.energies
    first = sorted(rows.tolist(), key=lambda row: float(energies[row]))[:MOST]
    st.subheader(f"Taken for {plain(setting.chosen)}", anchor=False)
    who = f"{plain(side.shown.name)}, {plain(_title(census.name))}"
    if not first:
        st.caption(f"{who}: none of the outliers drawn above is taken for it.")
        return
    try:
        sources = pictures(side.found, census, first)
    except DataError:
        known = entry(census.name)  # its own sentence names folders of this server
        st.caption(f"{who}: {len(rows):,} of the outliers drawn above.")
        st.info(
            f"Pictures of '{plain(known.title)}' are not on this server. {plain(known.how)}",
            icon=":material/folder_off:",
        )
        return
    pushed = side.fitted(setting).pushed(census.logits).tolist()
    items = [
        Item(
            source, _kind(census.kinds, int(census.labels[row])), f"E {theme.number(float(energies[row]))}", pushed[row]
        )
        for source, row in zip(sources, first, strict=True)
    ]
    st.caption(
        f"{who}: {len(first)} of {len(rows):,}, lowest energy first. A dotted frame: below its margin, pushed up."
    )
    gallery(items, label=f"Outliers taken for {setting.chosen}", colour=colour, key=key)


def _kind(kinds: Sequence[str], label: int) -> str:
    return kinds[label] if 0 <= label < len(kinds) else "outlier"


def why() -> None:
    """What all of this is for, and when it helps."""
    st.subheader("Why count outliers at all?", anchor=False)
    left, right = st.columns([6, 5], gap="large")
    with left:
        st.markdown(
            "While it is fine-tuned, a network sees **auxiliary outliers**: pictures of anything but its classes, so "
            "that it learns to give them a high energy. A network that has not learned that yet takes many of them for "
            "the *same few* classes. **Balanced energy** counts this crowd, once, before the training: the prior π. It "
            "asks more of an outlier that looks like the crowd – a higher margin – and listens to it more.\n\n"
            "γ says how much the crowd matters: at 0 every class is alike and the loss is plain energy training "
            "with the margin m + α/k, at 1 the counts are taken as they are. Counts, not the softmax average: the "
            "published priors are shares of argmax counts."
        )
    with right, st.container(border=True):
        st.latex(
            r"\pi^{(\gamma)}_i=\frac{n_i^{\gamma}}{\sum_j n_j^{\gamma}}\qquad Z(x)=\sum_i s_i(x)\,\pi^{(\gamma)}_i"
        )
        st.latex(r"L_{out}=\frac{\sum_b Z_b\,\max(0,\;m+\alpha Z_b-E_b)^2}{\sum_b Z_b}")
        st.caption(
            "s is the softmax, E the energy (higher = more out-of-distribution), m the margin of outliers. An outlier "
            "left of the line in the picture above has an energy below m + αZ and is pushed up."
        )
    with st.expander("Does it help? What this project has measured", icon=":material/science:"):
        st.markdown(
            "Not always. On the drawn shapes every loss catches the kinds of outliers that it was shown often and "
            "loses those that it was shown rarely. Balanced energy, as released, made that **stronger**: it pushes "
            "the crowd further and also counts it more, so rare kinds fell below plain energy training. It gained a "
            "little on the frequent kinds while the crowd was moderate. On CIFAR-10 with the published γ = 0.05 it "
            "could not be told from plain energy training: so small an exponent makes the prior nearly flat.\n\n"
            "So it is worth a try where the outliers of the deployment crowd like those of the training, and not "
            "where rare ones matter. A fair comparison includes plain energy with the margin m + α/k. One seed of "
            "each so far; tables and conditions are in `docs/results.md`."
        )
