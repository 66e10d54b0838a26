"""A fine-tuning that runs or has ended: live curves, what came of it, what flipped, and runs over each other."""

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state, theme
from app.charts.finetune import before_and_after, columns, spread
from app.components.curves import Line, Panel, curves
from app.components.curves import Look as CurveLook
from app.components.gallery import Item, gallery
from app.services import jobs, resources, samples, tuning
from app.services.table import Row
from app.services.tuning import Curve, Story
from app.widgets import settings
from app.widgets.elsewhere import onward
from app.widgets.figure import figure, takeaway
from app.widgets.jobs import duration, progress
from app.widgets.page import busy, plain, set_title
from app.widgets.photos import own_photos
from oodcore.errors import OODError
from oodcore.jobs.comparison import Change
from oodcore.jobs.queue import Job
from oodcore.jobs.settings import differing

__all__ = ["PROBLEM", "called", "empty", "flipped", "given_up", "kept", "live", "overlay", "result"]

PROBLEM = "finetune problem"
"""In the session: what went wrong in a callback; the run that is shown."""

EVERY = 1.5  # seconds between two looks at a live run
MOST = 4
SHARE = 0.95
LOOKS: dict[str, CurveLook] = {"cross_entropy": "text", "energy_in": "id"}
VALIDATED: tuple[tuple[str, str, CurveLook], ...] = (
    ("auroc", "AUROC ↑", "aux"),
    ("accuracy", "accuracy ↑", "id"),
    ("fpr95_ood_positive", "FPR95 (OOD positive) ↓", "ood"),
)
RUNS: tuple[CurveLook, ...] = ("run0", "run1", "run2", "run3")
OVERLAID = {
    "AUROC ↑": ("validation", "auroc", True),
    "FPR95, OOD positive ↓": ("validation", "fpr95_ood_positive", True),
    "Accuracy ↑": ("validation", "accuracy", True),
    "Cross-entropy": ("terms", "cross_entropy", False),
}


def empty() -> None:
    """Before the first run."""
    with st.container(border=True):
        st.markdown("**No run yet.** Pick a loss and press Start. Curves appear as soon as the images are read.")
        st.caption(
            "The run has a process of its own: reload the page, close it, come back; the run is in the list until you "
            f"discard it, or until {jobs.queue().limits.kept} later ones have ended on this server. On the drawn "
            "shapes it takes about a minute."
        )
        curves(_panels(tuning.UNTOLD), steps=0, label="Where the curves will be", key="curves-empty")


def live(job: Job) -> None:
    """Progress, then curves; drawn anew while it runs, and the page once more when it ends."""
    progress(job)
    st.fragment(_curves, run_every=EVERY if job.standing.active else None)(job)


def _curves(job: Job) -> None:
    told = tuning.story(job)
    facts = [f"{told.speed:,.0f} images a second"] if told.speed is not None else []
    if told.left and job.standing.active:
        facts.append(f"{duration(told.left)} of training left")
    if told.margins is not None:
        facts.append("margins {} and {}".format(*map(theme.number, told.margins)))
    if "alpha" in told.measured:
        facts.append(f"alpha {theme.number(told.measured['alpha'])}")
    st.caption(" · ".join(facts) if facts else "The first numbers come when images are read and margins measured.")
    with st.container(key=f"figure-curves-{job.id}", gap=None):
        wanted = tuning.experiment(job)
        steps = 0 if wanted is None else wanted.train.steps or 0
        curves(_panels(told), steps=steps, label=f"Curves of {job.title}", key=f"curves-{job.id}")
        if told.rate.steps:
            takeaway(f"curves-{job.id}", None if job.standing.active else tuning.long_table(told))


def _panels(told: Story) -> list[Panel]:
    return [
        Panel("Loss, by term", "weighted; their sum is minimised", _lines(told.terms)),
        Panel(
            "Hinge activity",
            "share of images on the wrong side of their margin",
            _lines(told.activity),
            percent=True,
            empty="This loss has no hinges." if told.terms and not told.activity else "Nothing yet.",
        ),
        Panel(
            "Validation",
            "images that are neither trained on nor tested",
            [Line(title, look, *told.validation[name]) for name, title, look in VALIDATED if name in told.validation],
            percent=True,
            empty="The first validation comes after some steps.",
        ),
        Panel(
            "Learning rate", "falls along a cosine", [Line("lr", "text", *told.rate.thinned)] if told.rate.steps else []
        ),
    ]


def _lines(found: Mapping[str, Curve]) -> list[Line]:
    return [Line(name.replace("_", " "), _look(name), *curve.thinned) for name, curve in found.items()]


def _look(name: str) -> CurveLook:
    if name in LOOKS:
        return LOOKS[name]
    return "ood" if name.endswith(("_out", "outlier_exposure", "push")) else "aux"


def result(job: Job) -> None:
    """What changed: numbers and energies.

    Raises:
        OODError: the result cannot be read.
    """
    found = tuning.comparison(job)
    st.subheader("Before and after", anchor=False)
    usual = found.ood_sets[0]
    if stray := state.stray(state.OUTLIERS, found.ood_sets):
        st.warning(
            f"This link asks for the outliers '{plain(stray)}', which this run was not measured on. Showing '{usual}'.",
            icon=":material/link_off:",
        )
    state.choose(state.OUTLIERS, found.ood_sets, usual)
    ood = st.segmented_control(
        "Outliers", found.ood_sets, format_func=set_title, key=state.OUTLIERS, required=True, wrap=True
    )
    ood = ood or usual
    state.chosen(state.OUTLIERS, ood, usual)
    _metrics(found.changes(ood))
    energies = [(found.energies(when, found.id_set), found.energies(when, ood)) for when in ("before", "after")]
    drawn = spread(*energies)
    names = (
        f"{set_title(found.id_set)} (ID, {len(energies[0][0]):,})",
        f"{set_title(ood)} (OOD, {len(energies[0][1]):,})",
    )
    margins = tuning.story(job).margins
    picture = before_and_after(drawn, margins, names, theme.palette(st.context.theme.type))
    figure(
        picture,
        columns(drawn),
        name=f"energies-{job.id}",
        alt=f"Energies of {names[0]} and {names[1]} before and after; they overlap less the higher the AUROC.",
    )
    st.caption(
        "Energy is minus the log-sum-exp of the logits: higher = more out-of-distribution. Each curve holds the share "
        "of its own images. Test images, as many as the legend says; scorers that need gradients (ODIN) were left out."
    )


def _metrics(changes: Sequence[Change]) -> None:
    for place, change in zip(st.columns(len(changes)), changes, strict=True):
        arrow = "↑" if change.rising else "↓"
        place.metric(
            f"{change.name} {arrow}",
            theme.percent(change.after),
            f"{100 * change.delta:+.1f} points" if change.delta else None,  # an ASCII minus turns the arrow
            delta_color="normal" if change.rising else "inverse",
            delta_description=f"from {theme.percent(change.before)}",
            border=True,
            help="Higher is better." if change.rising else "Lower is better.",
        )


def flipped(job: Job) -> None:
    """Pictures that one network keeps and the other flags, both keeping 95 % of known images.

    Raises:
        OODError: the checkpoint that it began with is gone, or one of the two cannot be read.
    """
    st.subheader("Decisions that flipped", anchor=False)
    start = tuning.started_from(job)
    if "energy" not in start.scorers:
        st.caption(f"'{start.name}' has no threshold for the energy, so there is no decision to compare with.")
        return
    after = resources.exhibit(job.result / tuning.CHECKPOINT)
    groups = samples.groups(start.model.classes, start.known)
    with st.popover("Add your photos", icon=":material/add_photo_alternate:"):
        mine = own_photos(
            st.container(),
            start,
            label=f"Up to {samples.LIMIT}, {samples.MEGABYTES} MB each",
            key="flip-photos",
        )
    pictures, _ = samples.prepare(
        [*mine, *(one for group in groups.values() for one in group.pictures())], start.model.transform
    )
    told = partial(busy, st.empty())
    said = resources.answers(start, pictures, told), resources.answers(after, pictures, told)
    rows = tuning.decisions(start, after, said, pictures, SHARE)
    changed = [row for row in rows if row.differs("energy")]
    about = f"Of {len(rows)} pictures – drawn ones, photographs and your own from this session – **{len(changed)}**"
    st.markdown(f"{about} are decided differently. Each network keeps {theme.percent(SHARE)} of known images.")
    with st.container(key=f"figure-flipped-{job.id}", gap=None):
        if changed:
            _gallery(changed, f"flipped-{job.id}")
        takeaway(f"flipped-{job.id}", tuning.decided(rows), picture=False)


def _gallery(flipped: Sequence[Row], key: str) -> None:
    gallery(
        [
            Item(
                source=row.view.original,
                title=row.picture.name,
                words="now flagged" if row.verdicts[1].flagged["energy"] else "now kept",
                marked=row.verdicts[1].flagged["energy"],
            )
            for row in flipped
        ],
        label="Pictures whose decision flipped",
        colour=theme.palette(st.context.theme.type).ood,
        key=key,
    )


def kept(job: Job) -> None:
    """Keep, download, open elsewhere, discard."""
    st.subheader("Take it along", anchor=False)
    mine = job.owned_by(jobs.owner())
    with st.container(border=True):
        if name := tuning.kept_as(job):
            st.success(f"Kept as '{plain(name)}'. Every page offers it now.", icon=":material/bookmark_added:")
            onward(name)
        elif mine:
            _naming(job)
        else:
            st.caption("Only who started this run can keep it. You can download it.")
        left, right, _ = st.columns([3, 3, 4])
        left.download_button(
            "Download",
            data=partial(tuning.archive, job),
            file_name=f"{job.id}.zip",
            mime="application/zip",
            icon=":material/download:",
            on_click="ignore",
            width="stretch",
            help="Weights, fitted scores and reference as safetensors, card as JSON. Nothing in it is code.",
        )
        _discard(job, right, mine)


def given_up(job: Job) -> None:
    """Of a run that ended without a result: it may be discarded, too."""
    _discard(job, st.columns([3, 7])[0], job.owned_by(jobs.owner()))


def _naming(job: Job) -> None:
    left, right = st.columns([6, 3], vertical_alignment="bottom")
    loss = job.title.partition(" from ")[0].lower().replace(" ", "-")
    name = left.text_input("Keep it as", f"my-{loss}-{job.id[-3:]}", key=f"name-{job.id}", max_chars=40)
    if right.button("Keep", icon=":material/bookmark_add:", key=f"keep-{job.id}", width="stretch"):
        try:
            tuning.keep(job, name)
        except OODError as problem:
            st.error(plain(str(problem)), icon=":material/error:")
            return
        st.rerun()
    st.caption("Then every page offers it as a checkpoint, to everyone on this server.")


def _discard(job: Job, place: DeltaGenerator, mine: bool) -> None:
    with place.popover("Discard", icon=":material/delete:", disabled=not mine, width="stretch"):
        st.markdown("The run, its curves and what it made are removed. What you kept stays.")
        st.button("Discard it", key=f"discard-{job.id}", on_click=_discarded, args=(job,))


def _discarded(job: Job) -> None:
    try:
        jobs.queue().discard(job.id, owner=jobs.owner())
    except OODError as problem:
        st.session_state[PROBLEM] = str(problem)
        return
    st.session_state[state.RUN] = None


def overlay(found: Sequence[Job]) -> None:
    """Up to four runs over each other, and in which settings they differ."""
    began = [job for job in found if job.standing.step > 0]
    if len(began) < 2:
        return
    st.subheader("Runs over each other", anchor=False)
    by_id = {job.id: job for job in began}
    usual = list(by_id)[:2]
    if strays := state.strays(state.OVER, list(by_id)):
        st.warning(
            f"This link lays runs over each other that are not here any more: {plain(', '.join(strays))}.",
            icon=":material/link_off:",
        )
    state.choose_some(state.OVER, list(by_id), usual, MOST)
    picked = st.multiselect(
        "Runs",
        list(by_id),
        format_func=lambda id_: called(by_id[id_]),
        key=state.OVER,
        max_selections=MOST,
        help="Of everyone on this server. Settings in which they agree are left out below.",
    )
    state.chosen(state.OVER, picked, usual)
    chosen = [by_id[id_] for id_ in picked]
    if not chosen:
        st.caption("Choose up to four runs.")
        return
    stories = {f"{at} · {job.title}": tuning.story(job) for at, job in zip("ABCD", chosen, strict=False)}
    panels = [
        Panel(title, "", _across(stories, group, name), percent=percent)
        for title, (group, name, percent) in OVERLAID.items()
    ]
    with st.container(border=True):
        longest = max((told.rate.steps[-1] for told in stories.values() if told.rate.steps), default=0)
        with st.container(key="figure-runs", gap=None):
            curves(panels, steps=longest, label="Runs over each other", key="overlay")
            takeaway("runs", _labelled(stories))
        _differences(stories, chosen)


def _across(stories: dict[str, Story], group: str, name: str) -> list[Line]:
    found = (
        (look, title, getattr(told, group).get(name))
        for look, (title, told) in zip(RUNS, stories.items(), strict=False)
    )
    return [Line(title[0], look, *curve.thinned) for look, title, curve in found if curve is not None]


def _labelled(stories: dict[str, Story]) -> dict[str, list[object]]:
    tables = {title: tuning.long_table(told) for title, told in stories.items()}
    first = next(iter(tables.values()))
    run: list[object] = [title for title, table in tables.items() for _ in table["step"]]
    return {"run": run} | {name: [value for table in tables.values() for value in table[name]] for name in first}


def _differences(stories: dict[str, Story], chosen: Sequence[Job]) -> None:
    wanted = {title: tuning.experiment(job) for title, job in zip(stories, chosen, strict=True)}
    known = {title: one for title, one in wanted.items() if one is not None}
    found = differing(known)
    st.markdown("  \n".join(f"**{title[0]}** {plain(title[4:])}" for title in stories))
    if not found:
        st.caption("All of their settings are the same.")
        return
    table = [
        {
            "Setting": settings.title(key),
            **{title[0]: settings.value(key, given) for title, given in values.items()},
        }
        for key, values in found.items()
    ]
    st.dataframe(table, hide_index=True, height="content", alt="Settings in which the runs differ.")


def called(job: Job) -> str:
    """A run in a list; the same as long as it lives, for the browser sends it back."""
    return f"{job.title} · {job.id[-4:]}"
