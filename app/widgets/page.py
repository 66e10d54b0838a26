"""What every page has: heading, empty and busy states, and where its checkpoint comes from."""

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import StreamlitAPIException

from app.services.resources import Exhibit
from oodcore.data import entry
from oodcore.errors import UnknownNameError
from oodcore.scorers import scorers

__all__ = [
    "about",
    "busy",
    "header",
    "link_parts",
    "no_checkpoint",
    "plain",
    "score_title",
    "set_title",
    "sorry",
    "spinner",
    "to_checkpoints",
    "unfitted",
]


def header(title: str, lead: str) -> None:
    """Title and one short paragraph."""
    st.title(title, anchor=False)
    with st.container(width=820):
        st.markdown(lead)


def link_parts(place: DeltaGenerator, left_out: Mapping[str, Sequence[str]]) -> None:
    """One quiet sentence about what a link asks for and this page does not have; none where there is nothing.

    Args:
        place: Where it is drawn.
        left_out: Key of the link → its values.
    """
    parts = [plain(f"{key}={value[:40]}") for key, values in left_out.items() for value in values]
    if parts:
        more = f" and {len(parts) - 5} more" if len(parts) > 5 else ""
        place.caption(
            f":material/link_off: Left out of this link, for there is no such thing here: {', '.join(parts[:5])}{more}."
        )


def no_checkpoint() -> None:
    """Nothing is installed."""
    st.info(
        "There is no checkpoint on this server yet. Bring a network of your own on the Checkpoints page; or, on the "
        "server itself, `ood checkpoints import PATH --name NAME` and `ood fit NAME --id SET`.",
        icon=":material/deployed_code:",
    )
    to_checkpoints("Bring your own", view="own")


def unfitted(shown: Exhibit) -> None:
    """A network without thresholds can classify but not decide."""
    st.info(
        f"'{plain(shown.name)}' has no fitted scorers yet, so nothing can be decided with it. Fit them on the "
        f"Checkpoints page; or, on the server itself, with `ood fit {shown.name} --id SET`.",
        icon=":material/tune:",
    )
    to_checkpoints("Fit its scorers", view="one", checkpoint=shown.name)


def to_checkpoints(label: str, **there: str) -> None:
    """A link to the page where networks are brought and fitted; `there` is what its link says."""
    with suppress(StreamlitAPIException):  # a view that is run by itself, as a test does, knows no other page
        st.page_link("views/checkpoints.py", label=label, icon=":material/deployed_code:", query_params=there)


def busy(place: DeltaGenerator, ahead: int) -> None:
    """Whose turn it is."""
    if ahead == 0:
        place.empty()
        return
    people = "One person is" if ahead == 1 else f"{ahead} people are"
    place.info(f"{people} ahead of you. Your pictures follow.", icon=":material/hourglass_top:")


def spinner(words: str, *, needed: bool) -> AbstractContextManager[None]:
    """What is being waited for; only an empty place where it is `needed` by nobody, for a spinner has a thread."""
    if needed:
        return st.spinner(words)
    st.empty()  # as a spinner leaves, so that what follows keeps its place on the page
    return nullcontext()


def sorry(problem: object) -> None:
    """What went wrong, in one sentence that may hold words of a link or of a file."""
    st.error(plain(str(problem)), icon=":material/error:")


def set_title(name: str) -> str:
    """An image set in words, where the catalogue knows it."""
    try:
        return entry(name).title
    except UnknownNameError:
        return name


def score_title(name: str) -> str:
    """A score in the field's words, where it is known here; parts of a composed one are joined by "+"."""
    return " + ".join(scorers[part].info.title if part in scorers.names() else part for part in name.split("+"))


def about(shown: Exhibit) -> None:
    """Where the network comes from, and what was assumed about it."""
    model, transform = shown.model, shown.model.transform
    classes = ", ".join(model.classes[:20]) + (", …" if len(model.classes) > 20 else "")
    guessed = " – assumed, the weights do not say" if transform.assumed else ""
    facts = [
        f"**Architecture** {model.architecture}, {len(model.block_names)} blocks",
        f"**Classes** {plain(classes)}",
        f"**Input** {transform.size}×{transform.size} pixels, coding {transform.coding}, "
        f"mean {_triple(transform.mean)}, std {_triple(transform.std)}{guessed}",
        *map(plain, model.notes),
    ]
    with st.expander(f"About {shown.name}", icon=":material/info:"):
        st.markdown("\n".join(f"- {fact}" for fact in facts))


def plain(text: str) -> str:
    """Text that Markdown shows as it stands."""
    return re.sub(r"([\\`*_\[\]#|$:~<>])", r"\\\1", text)


def _triple(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.3f}" for value in values)
