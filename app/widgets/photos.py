"""The visitor's own photos, shared by the pages of one session: what was dropped in on one of them is known on all."""

from collections.abc import Sequence

import streamlit as st

from app.services import samples
from app.services.samples import Picture

__all__ = ["remember", "remembered"]

PHOTOS = "photos"


def remember(pictures: Sequence[Picture]) -> None:
    """Keep them for the session, the newest first, each content once; in memory alone."""
    known = {picture.id for picture in pictures}
    earlier = [picture for picture in remembered() if picture.id not in known]
    st.session_state[PHOTOS] = [*pictures, *earlier][: samples.LIMIT]


def remembered() -> list[Picture]:
    """Those of this session."""
    photos: list[Picture] = st.session_state.get(PHOTOS, [])
    return photos
