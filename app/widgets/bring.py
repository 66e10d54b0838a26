"""Weights of one's own: chosen, looked at, described, kept, fitted, deleted."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import streamlit as st

from app import state
from app.services import cabinet, jobs
from app.services.cabinet import Brought, Listed
from app.widgets.jobs import progress
from app.widgets.page import busy, plain
from oodcore.checkpoint.own import EACH, class_list, fittable, keep, remove, require_room
from oodcore.data.transforms import Coding, Preprocessing
from oodcore.errors import CheckpointError, DataError, OODError
from oodcore.evaluate.suits import fitting_sets, outliers_beside
from oodcore.jobs.job import hash_of
from oodcore.jobs.queue import Job
from oodcore.models import Network
from oodcore.models.class_lists import known_lists
from oodcore.models.weights_file import SUFFIXES

__all__ = ["OPEN", "bring", "deletion", "fitting", "refitting"]

OPEN = "checkpoint to open"
"""In the session: which checkpoint the page is to show next; "" for the gallery."""

UPLOAD, PATH, LIBRARY = "upload", "path", "library"
WAYS = {UPLOAD: "Upload a file", PATH: "A path on this server", LIBRARY: "A network of timm or torchvision"}
ADVICE = re.compile(r" Change (?:it|them) with .*", re.DOTALL)
"""How to change what was assumed from Python and from the command line; this page has fields for it."""
AS_FOUND, TYPED = "As recognised", "Type them"
SCALES = {
    "ImageNet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "CIFAR": ((125.3 / 255, 123.0 / 255, 113.9 / 255), (63.0 / 255, 62.1 / 255, 66.7 / 255)),
    "Half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
CODINGS: dict[Coding, str] = {"lossless": "lossless pictures", "jpeg75": "JPEG-coded pictures (quality 75)"}
Triple = tuple[float, float, float]


def bring() -> None:
    """From a file to a checkpoint of this server."""
    left, right = st.columns([5, 7], gap="large")
    with left:
        way = _way()
        brought = None
        try:
            if way == LIBRARY:
                _library()
            else:
                brought = _upload() if way == UPLOAD else _path()
        except OODError as problem:
            st.error(plain(str(problem)), icon=":material/error:")
        st.caption(
            f"What you keep here is open to **everyone on this server**; only you, in this browser, can fit or delete "
            f"it. You may keep {EACH.number} checkpoints of {EACH.size / 2**20:,.0f} MB in all. Files are read as "
            "numbers alone: nothing in them is run."
        )
    with right:
        if brought is None:
            _promise()
            return
        try:
            with st.spinner("Reading the weights …"):
                found = cabinet.looked_at(brought, partial(busy, st.empty()))
            _recognised(brought, found)
        except OODError as problem:
            st.error(plain(str(problem)), icon=":material/error:")


def _way() -> str:
    """Where the weights come from: the link's, or an upload."""
    ways = list(WAYS)
    state.unknown(state.WAY, ways)
    state.choose(state.WAY, ways, UPLOAD)
    way = st.segmented_control(
        "Where from", ways, format_func=WAYS.__getitem__, key=state.WAY, required=True, wrap=True
    )
    state.chosen(state.WAY, way, UPLOAD)
    return way or UPLOAD


def fitting(one: Listed) -> None:
    """Offer its owner to fit what is not fitted yet, and show the run that does it."""
    job = _job_of(one.name)
    if job is not None and progress(job).active:
        return
    if one.fitted:
        return
    if not fittable(one.folder, hash_of(jobs.owner())):
        st.info(
            "Its scorers are not fitted yet: it can classify, but no page can decide with it. Only who brought it, in "
            "the browser that brought it, can fit them.",
            icon=":material/tune:",
        )
        return
    st.info(
        "Its scorers are not fitted yet: it can classify, but no page can decide with it. Fitting passes a few "
        "thousand pictures through the network, sets the thresholds, and measures how good they are.",
        icon=":material/tune:",
    )
    _order(one, "Fit its scorers")


def refitting(one: Listed) -> None:
    """For its owner alone: on other pictures, or after a mistake."""
    job = _job_of(one.name)
    with st.popover("Fit again", icon=":material/tune:", disabled=job is not None and job.standing.active):
        st.markdown("Thresholds, reference and measured numbers are replaced when the run has finished.")
        _order(one, "Fit it again")


def _order(one: Listed, label: str) -> None:
    sets = fitting_sets(one.card.classes)
    if not sets:
        st.caption(
            f"No image set on this server has these {len(one.card.classes)} classes. Who runs the server can fit it "
            f"on a folder of pictures, one subfolder per class: `ood fit {one.name} --id FOLDER`."
        )
        return
    place, button = st.columns([3, 2], vertical_alignment="bottom")
    titles = {each.name: each.title for each in sets}
    name = place.selectbox("Known pictures", list(titles), format_func=titles.__getitem__, key="fit-on")
    kind: Literal["primary", "secondary"] = "secondary" if one.fitted else "primary"
    if button.button(label, icon=":material/play_arrow:", type=kind, width="stretch", key="fit"):
        inside = next(each for each in sets if each.name == name)
        outliers = [each.name for each in outliers_beside(inside)]
        order = {"checkpoint": one.name, "id": name, "ood": outliers, "owner": hash_of(jobs.owner())}
        if _submitted(order, f"Fit {one.card.title or one.name}"):
            st.rerun()


def deletion(one: Listed) -> None:
    """For its owner alone."""
    with st.popover("Delete", icon=":material/delete:"):
        st.markdown(f"Delete **{plain(one.card.title or one.name)}** for everyone? It cannot be brought back.")
        if st.button("Delete it", icon=":material/delete_forever:", key="delete"):
            try:
                remove(one.folder, jobs.owner())
            except CheckpointError as problem:
                st.error(plain(str(problem)), icon=":material/error:")
                return
            st.session_state[OPEN] = ""
            st.session_state["said"] = f"'{plain(one.card.title or one.name)}' is deleted."
            st.rerun()


def _upload() -> Brought | None:
    file = st.file_uploader(
        f"File of weights – up to {cabinet.MEGABYTES} MB",
        type=[suffix[1:] for suffix in SUFFIXES],
        max_upload_size=cabinet.MEGABYTES,
        key="weights",
        help="A state dict, saved with torch.save or as safetensors. It is read in memory.",
    )
    if file is None:
        return None
    hashes = st.session_state.setdefault("hashes", {})
    return cabinet.from_upload(file.name, file.getvalue(), file.file_id, hashes)


def _path() -> Brought | None:
    text = st.text_input(
        "Path below a data folder of this server", key="weights-path", placeholder="my-network.pt", max_chars=400
    )
    return cabinet.from_path(text) if text.strip() else None


def _library() -> None:
    name = st.text_input("Name", key="library", placeholder="timm:resnet18.a1_in1k", max_chars=120).strip()
    if st.button("Fetch it", icon=":material/download:", disabled=not name):
        if not re.fullmatch(r"(timm|torchvision):[A-Za-z0-9_.\-]+", name):
            raise CheckpointError("A network of a library is named as 'timm:NAME' or 'torchvision:NAME'.")
        require_room(hash_of(jobs.owner()))
        _submitted({"library": name, "id": None, "owner": hash_of(jobs.owner())}, f"Fetch {name}")
    for job in jobs.queue().jobs()[:20]:
        if job.kind == "fit" and "library" in job.order and job.owned_by(jobs.owner()):
            progress(job)
            break


def _promise() -> None:
    with st.container(border=True):
        st.markdown("**What happens with your file**")
        st.markdown(
            "1. Its keys and shapes tell which network it is: WRN, CIFAR ResNets, ResNet-18, VGG-11, and many of "
            "torchvision and timm.\n2. What the file does not say – class names, normalisation – is assumed, told, and "
            "yours to change.\n3. One picture passes through it.\n4. You keep it, and fit its scorers as a run. Then "
            "Score decides with it."
        )


def _recognised(brought: Brought, found: Network) -> None:
    with st.container(border=True):
        st.markdown(f":green-badge[:material/check: recognised] **{plain(found.architecture)}**, tried on one picture")
        for column, (title, value) in zip(
            st.columns(4), (
                ("Outputs", f"{len(found.classes)}"),
                ("Blocks", f"{len(found.block_names)}"),
                ("Features", f"{found.head.weight.shape[1]}"),
                ("Parameters", f"{sum(each.numel() for each in found.parameters()) / 1e6:.2f} M"),
            ), strict=True,
        ):  # fmt: skip
            column.metric(title, value)
        for note in found.notes:
            st.caption(plain(ADVICE.sub(" You can change this below.", note)))
        classes = _classes(found.classes)
        prepared = _preprocessing(found.transform)
        title = st.text_input("What to call it", key="title", placeholder="one line for lists", max_chars=80)
        if st.button("Keep it on this server", icon=":material/save:", type="primary", width="stretch"):
            model = cabinet.looked_at(brought, partial(busy, st.empty()), classes, prepared)
            folder = keep(model, owner_hash=hash_of(jobs.owner()), title=title, source=brought.name)
            st.session_state[OPEN] = folder.name
            fitted = cabinet.one(folder.name, folder).fitted
            st.session_state["said"] = (
                f"It is here already, fitted, as `{folder.name}`."
                if fitted
                else f"Kept as `{folder.name}`. Next: fit its scorers."
            )
            st.rerun()


def _classes(assumed: Sequence[str]) -> tuple[str, ...] | None:
    lists = {title: names for title, names in known_lists(len(assumed)).items() if names != tuple(assumed)}
    way = st.selectbox(
        "Class names",
        [AS_FOUND, *lists, TYPED],
        key="classes-from",
        help=f"Now: {', '.join(assumed[:12])}{', …' if len(assumed) > 12 else ''}",
    )
    if way in lists:
        return lists[way]
    if way == AS_FOUND:
        return None
    text = st.text_area(
        "Names in the order of the outputs", key="class-names", placeholder="cat, dog, …", max_chars=60_000
    )
    return class_list(text, len(assumed))


def _preprocessing(assumed: Preprocessing) -> Preprocessing | None:
    """None leaves what was recognised."""
    left, right = st.columns(2)
    names = [AS_FOUND, *SCALES, "Other"]
    scale = left.selectbox("Normalisation", names, key="scale", help=f"Now: {assumed}")
    coding = right.selectbox(
        "It was trained on",
        list(CODINGS),
        format_func=lambda name: CODINGS[name],
        key="coding",
        index=list(CODINGS).index(assumed.coding),
        help="Compression is a cue: a network trained on coded pictures takes clean ones for unusual.",
    )
    mean, std = SCALES.get(scale, (assumed.mean, assumed.std))
    if scale == "Other":
        mean = _triple(left.text_input("Mean per channel, of pixels in 0..1", key="mean", value=_shown(assumed.mean)))
        std = _triple(right.text_input("Standard deviation per channel", key="std", value=_shown(assumed.std)))
    if scale == AS_FOUND and coding == assumed.coding:
        return None
    return replace(assumed, mean=mean, std=std, coding=coding, assumed=False)


def _triple(text: str) -> Triple:
    parts = [part for part in re.split(r"[\s,/]+", text.strip()) if part]
    try:
        red, green, blue = (float(part) for part in parts)
    except ValueError:
        raise DataError(f"Mean and deviation are three numbers each, as 0.5 0.5 0.5; got '{text[:40]}'.") from None
    return red, green, blue


def _shown(values: Sequence[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)


def _submitted(order: Mapping[str, object], title: str) -> bool:
    try:
        jobs.queue().submit("fit", order, owner=jobs.owner(), title=title)
    except OODError as problem:
        st.error(plain(str(problem)), icon=":material/error:")
        return False
    return True


def _job_of(name: str) -> Job | None:
    """The newest run that fits this checkpoint."""
    return next((job for job in jobs.queue().jobs() if job.kind == "fit" and job.order.get("checkpoint") == name), None)
