"""The visitor's own photos, shared by the pages of one session: what was dropped in on one of them is known on all."""

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import state
from app.services import samples
from app.services.resources import Exhibit
from app.services.samples import Picture, Upload
from app.widgets.page import plain
from app.widgets.score import left_out

__all__ = ["own_photos", "remembered"]

PHOTOS, FORGOTTEN = "photos", "photos forgotten"
KINDS = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif"]
UPLOADS = "uploads"
"""Of the page that is shown, for each of its uploaders."""


def own_photos(place: DeltaGenerator, shown: Exhibit, *, label: str, key: str) -> list[Picture]:
    """An uploader, a sentence for each file that cannot be used, and a way to forget all of them.

    Args:
        place: Where the uploader is drawn.
        shown: The network that looks at them.
        label: Of the uploader.
        key: Streamlit key.

    Returns:
        Those of the session that can be read, the newest first.
    """
    times = st.session_state.get(FORGOTTEN, 0)
    drawn = f"{key}-{times}" if times else key  # another key empties it
    uploads = _uploads(drawn)
    files = place.file_uploader(
        label,
        type=KINDS,
        accept_multiple_files=True,
        max_upload_size=samples.MEGABYTES,
        key=drawn,
        help="They stay in this session's memory: never written to disk, never shown to anyone else.",
    )
    _told_of_lost()
    before = {upload.sha256 for upload in uploads.values()}
    own, sentences = samples.from_files(files, uploads, _let_go())
    for file_id in uploads.keys() - {file.file_id for file in files}:
        del uploads[file_id]
    good, broken = samples.prepare(own, shown.model.transform)
    left_out([*sentences, *broken], len(good))
    _remember(good, removed=before - {upload.sha256 for upload in uploads.values()})
    mine = remembered()
    if mine:
        place.button(
            "Forget my photo" if len(mine) == 1 else f"Forget my {len(mine)} photos",
            icon=":material/delete:",
            type="tertiary",
            key=f"forget-{key}",
            on_click=_forget,
            help="The files, and all that was made of them, leave this server's memory at once, for all pages.",
        )
    readable, _ = samples.prepare(mine, shown.model.transform)
    return readable


def remembered() -> list[Picture]:
    """Those of this session, the newest first."""
    photos: list[Picture] = st.session_state.get(PHOTOS, [])
    return photos


def _uploads(key: str) -> dict[str, Upload]:
    """What the uploader with this key held when it was last drawn; ask before it is drawn again.

    Streamlit empties an uploader that a run did not draw. What is missing from it then was not taken out by anyone.
    """
    of_page: dict[str, dict[str, Upload]] = state.here().setdefault(UPLOADS, {})
    if key not in st.session_state:
        of_page[key] = {}
    return of_page.setdefault(key, {})


def _remember(pictures: Sequence[Picture], removed: set[str]) -> None:
    """Keep them for the session, each content once, without those that were taken out of the uploader."""
    without = removed | {picture.id for picture in pictures}
    earlier = [picture for picture in remembered() if picture.id not in without]
    st.session_state[PHOTOS] = [*pictures, *earlier][: samples.LIMIT]


def _told_of_lost() -> None:
    gone = [picture.name for picture in remembered() if samples.lost(picture)]
    if not gone:
        return
    st.session_state[PHOTOS] = [picture for picture in remembered() if not samples.lost(picture)]
    names = " and ".join(f"'{plain(name)}'" for name in gone)
    st.warning(
        f"{names} had to make room: this server keeps {samples.TOGETHER} MB of photos for all visitors together. "
        "Drop what you still need in again.",
        icon=":material/hide_image:",
    )


def _forget() -> None:
    for picture in remembered():
        samples.forget(picture)
    st.session_state[PHOTOS] = []
    st.session_state[FORGOTTEN] = st.session_state.get(FORGOTTEN, 0) + 1
    state.here().pop(UPLOADS, None)


def _let_go() -> Callable[[str], None]:
    """Takes a file out of Streamlit's own memory, which else keeps it as long as the session lives."""
    context = get_script_run_ctx()
    remove = None if context is None else getattr(context.uploaded_file_mgr, "remove_file", None)
    if context is None or remove is None:
        return lambda file_id: None
    return partial(remove, context.session_id)
