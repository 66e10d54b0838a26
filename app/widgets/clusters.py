"""Pieces of the Clusters page: what is laid out, the panels, how far classes lie apart, and what was selected."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state, theme
from app.services import clusters, family, jobs, sheets
from app.services.clusters import Map
from app.services.resources import Exhibit
from app.widgets.jobs import progress
from app.widgets.page import plain, sorry
from oodcore.errors import OODError
from oodcore.maps import Separation, Settings, Space

__all__ = [
    "apart",
    "chosen_settings",
    "how_to_read",
    "laid_out",
    "missing",
    "nothing_to_map",
    "partners",
    "picked_space",
]

SPACES: dict[Space, str] = {"features": "Features", "embeddings": "Embeddings"}


def partners(folders: Mapping[str, Path], main: str) -> dict[str, Path]:
    """All, those first whose class centres were trained and that know the same classes."""
    cards = {name: family.card_of(folder) for name, folder in folders.items()}

    def rank(name: str) -> tuple[bool, bool]:
        one, other = cards[name], cards[main]
        loss = one.recipe.get("loss") if one is not None else None
        centred = isinstance(loss, Mapping) and loss.get("name") == "semantic_energy"
        return one is None or other is None or one.classes != other.classes, not centred

    return {name: folders[name] for name in sorted(folders, key=rank)}


def picked_space(place: DeltaGenerator, shown: Exhibit, *, key: str, last: bool) -> Space | None:
    """Which of its spaces is mapped; None where the checkpoint has no reference.

    Args:
        place: Where the choice is drawn.
        shown: The checkpoint.
        key: Of the link.
        last: Whether embeddings come first.
    """
    found = list(clusters.spaces(shown))
    if not found:
        return None
    usual = found[-1 if last else 0]
    state.unknown(key, found)
    state.choose(key, found, usual)
    picked = place.segmented_control(
        "Laid out by",
        found,
        format_func=lambda space: SPACES[space],
        required=True,
        key=key,
        help="Features are what the last layer sees. Embeddings are features, projected to where class centres were "
        "trained by the cluster focal loss.",
    )
    state.chosen(key, picked or usual, usual)
    if len(found) == 1:
        place.caption("Trained without class centres, so it has no embeddings: features only.")
    return picked


def nothing_to_map(shown: Exhibit) -> None:
    """A network alone has no map."""
    st.info(
        f"'{plain(shown.name)}' keeps no outputs of known images, so there is nothing to map. Fit it on its training "
        f"set – on the Checkpoints page, or with `ood fit {shown.name} --id NAME` – and come back.",
        icon=":material/scatter_plot:",
    )


def chosen_settings(place: DeltaGenerator) -> Settings:
    """Seed and form of the map, from the link; the first are those of the shipped maps."""
    usual = Settings()
    with place.popover("Another map", icon=":material/casino:", width="stretch"):
        st.caption(
            "UMAP starts from chance, so each seed draws the same neighbourhoods a little differently. What holds "
            "under several seeds is worth believing."
        )
        seed = st.number_input("Seed", 0, 9999, key=state.MAP_SEED, bind="query-params")
        near = st.select_slider(
            "Neighbours kept close",
            [5, 10, 15, 30, 50, 100],
            usual.neighbours,
            key=state.NEIGHBOURS,
            bind="query-params",
            help="Few show detail, many the whole.",
        )
        packing = st.select_slider(
            "Least distance on the map",
            [0.0, 0.1, 0.25, 0.5, 0.9],
            usual.min_dist,
            key=state.PACKING,
            bind="query-params",
            help="Small packs clusters tightly.",
        )
    return Settings(int(seed), int(near), float(packing))


def laid_out(shown: Exhibit, folder: Path, space: Space, settings: Settings) -> Map:
    """By UMAP where that is done; else by principal components, with the way to UMAP on the page."""
    queue = jobs.queue()
    layout = clusters.made(shown, folder, settings, queue)
    if layout is None or space not in layout.xy:
        _offered(shown, folder, settings)
    return clusters.drawn(shown, space, layout)


def _offered(shown: Exhibit, folder: Path, settings: Settings) -> None:
    order, queue = clusters.wanted(shown, folder, settings), jobs.queue()
    job = clusters.ordered(queue, order)
    name = shown.name.rpartition("/")[2]
    if job is not None and job.standing.state != "finished" and progress(job).active:
        return
    words, button = st.columns([4, 1], vertical_alignment="center")
    words.info(
        f"There is no UMAP of '{plain(name)}' with these settings yet. Below is a quick map by principal components, "
        "the two directions of largest spread. UMAP takes about a minute and runs beside the page.",
        icon=":material/timelapse:",
    )
    if button.button("Draw by UMAP", type="primary", key=f"umap-{name}", width="stretch"):
        try:
            queue.submit("layout", order, owner=jobs.owner(), title=f"Map of {name}, seed {settings.seed}")
        except OODError as problem:
            sorry(problem)
            return
        st.rerun()


def missing(found: Mapping[str, sheets.Sheet | None]) -> None:
    """How to get the images that are not here; the map itself needs none."""
    absent = [name for name, tile in found.items() if tile is None]
    if not absent:
        return
    with st.expander(
        f"Pictures of {len(absent)} of {len(found)} sets are not on this machine", icon=":material/hide_image:"
    ):
        st.markdown(
            "The map is drawn from numbers that ship with the checkpoint. Its pictures are read from "
            "disk, and shown where they are:\n"
            + "\n".join(f"- {plain(sentence)}" for name in absent if (sentence := sheets.how_to_get(name)))
        )


def apart(maps: Sequence[Map]) -> None:
    """Silhouette and distances, measured in the space itself."""
    st.subheader("How far apart the classes lie", anchor=False)
    places = st.columns(len(maps))
    first = maps[0].separation
    for place, one, letter in zip(places, maps, "AB", strict=False):
        with place.container(border=True):
            name = plain(f"{one.shown.name.rpartition('/')[2]}, {one.space}")
            st.markdown(f"**{letter} · {name}**" if len(maps) > 1 else f"**{name}**")
            found = one.separation
            if found is None:
                st.caption("It takes two classes with several known images each to measure this.")
                continue
            numbers = st.columns(3)
            for spot, (title, help_, text, change) in zip(
                numbers, _numbers(found, first if one is not maps[0] else None), strict=True
            ):
                spot.metric(title, text, change, help=help_)
            st.caption(
                f"Within a class {theme.number(found.intra)} ↓, between centres {theme.number(found.inter)} ↑: mean "
                "Euclidean distances"
                + (" on the unit sphere." if one.space == "embeddings" else " in this space’s own units.")
            )
    st.caption(
        "Measured on the known images, in all dimensions – not on the flat map, where sizes of clusters and gaps "
        "between them mean little. Silhouette, ratio and share compare across spaces; the distances themselves do not."
    )


def _numbers(found: Separation, first: Separation | None) -> list[tuple[str, str, str, str | None]]:
    def change(now: float, before: float | None, text: str) -> str | None:
        return None if before is None else text.format(now - before)  # an ASCII minus turns the arrow

    return [
        (
            "Silhouette ↑",
            "From −1 to 1: how much closer an image lies to its own class than to the nearest other one.",
            f"{found.silhouette:.3f}".replace("-", theme.MINUS),
            change(found.silhouette, first and first.silhouette, "{:+.3f}"),
        ),
        (
            "Between / within ↑",
            "Mean distance between class centres over mean distance of an image to its own.",
            theme.number(found.ratio),
            change(found.ratio, first and first.ratio, "{:+.2f}"),
        ),
        (
            "Own centre nearest ↑",
            "Share of known images whose nearest centre is that of their own class.",
            theme.percent(found.own),
            change(100 * found.own, first and 100 * first.own, "{:+.1f} points"),
        ),
    ]


def how_to_read() -> None:
    """What a map can tell, and what it cannot."""
    with st.expander("How to read these maps", icon=":material/info:"):
        st.markdown(
            "- **Near on the map = near for the network**, mostly. UMAP keeps each image’s closest neighbours; "
            "distances between clusters, and their sizes, mean little.\n"
            "- **A place on the map is no evidence of being known.** A picture that the network has never seen must "
            "land somewhere, often amid a cluster. That is why placed pictures carry *far*: in all dimensions "
            f"their 10th nearest known image is farther away than for {theme.percent(clusters.KEEP)} of those.\n"
            "- **Placed, not fitted:** a new picture goes to the mean place of its neighbours; the map stays.\n"
            "- **Energy** $E = -\\log\\sum_k e^{f_k}$ reads the logits $f$. The **representation score** "
            "$R = -\\tau\\log\\sum_k e^{-D_k/\\tau}$ reads the distances $D_k$ to trained class centres, a soft "
            "minimum. High means out-of-distribution for both.\n"
            "- **Cluster focal loss** pulls each image to the centre of its class, the hard ones most; outliers are "
            "pushed away from all centres. Compare A and B."
        )
