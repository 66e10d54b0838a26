"""What a link carries: keys of the URL, their defaults, and how they are read."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import streamlit as st

__all__ = [
    "ACCEPTANCE", "AGAINST", "ALSO", "BESIDE", "CHECKPOINT", "KEEP", "MAP", "SCORER", "SHOW",
    "arrive", "by_p", "choose", "choose_some", "chosen", "here", "keep", "left_out", "link", "look_at",
    "looked_at", "photo", "remember", "reseed", "reword", "seed", "sift", "stray", "strays", "unknown", "wanted",
    "write",
]  # fmt: skip

CHECKPOINT, SCORER, AGAINST, SHOW, KEEP = "checkpoint", "scorer", "against", "show", "keep"
BESIDE, ALSO, MAP, BY = "with", "also", "map", "by"
PHOTO, SEED, ODIN = "photo", "seed", "odin"
VIEW, TAB, WAY, MEASURED, COMPARED = "view", "tab", "way", "scorer-measured", "scorer-compared"
ACCEPTANCE = 0.95
SEEDS = 10_000
HASH = re.compile(r"[0-9a-f]{12,64}")
PAGE, HERE, KEPT = "page shown", "here", "choices"
ASKED, LEFT_OUT = "asked for by the link", "left out of the link"


def arrive(page: str) -> None:
    """On another page than before, forget what was noted on that one: what is drawn here mounts anew."""
    if st.session_state.get(PAGE) != page:
        st.session_state[PAGE], st.session_state[HERE] = page, {}


def here() -> dict[str, Any]:
    """Notes of this session that hold until it goes to another page."""
    notes: dict[str, Any] = st.session_state.setdefault(HERE, {})
    return notes


def keep() -> float:
    """The acceptance in the link, as a share; what is no percentage between 0 and 100 counts as absent."""
    try:
        value = float(st.query_params.get(KEEP, "")) / 100
    except ValueError:
        return ACCEPTANCE
    return value if 0 < value < 1 else ACCEPTANCE


def remember(acceptance: float) -> None:
    """Write the acceptance into the link; the default is left out of it."""
    link(KEEP, f"{100 * acceptance:g}", f"{100 * ACCEPTANCE:g}")


def by_p() -> bool:
    """Whether the link words the dial as a p-value instead of a share to keep."""
    return st.query_params.get(BY) == "p"


def reword(by_p: bool) -> None:
    """Write the wording into the link; the default is left out of it."""
    link(BY, "p" if by_p else "")


def link(key: str, value: str, usual: str = "") -> None:
    """Write a value into the link; the usual one is left out of it."""
    if value == usual:
        st.query_params.pop(key, None)
    elif st.query_params.get_all(key) != [value]:
        st.query_params[key] = value


def stray(key: str, known: Sequence[str]) -> str | None:
    """What a link asks for that is not known here; see `strays`."""
    found = strays(key, known)
    return found[-1] if found else None


def strays(key: str, known: Sequence[str]) -> list[str]:
    """What a link asks for that is not known here, until somebody chooses or another link comes.

    Ask before the widget with this key is drawn. What the page itself wrote into the link is nothing that was asked
    for: another checkpoint may not know it.
    """
    asked: dict[str, list[str]] = here().setdefault(ASKED, {})
    seen, linked = _seen(key), _linked(key)
    if seen is None or linked != seen.linked:
        asked[key] = linked or []
    elif st.session_state.get(key, seen.value) != seen.value:
        asked.pop(key, None)
    return [one for one in asked.get(key, ()) if one and one not in known]


def unknown(key: str, known: Sequence[str]) -> None:
    """Note such parts for the one sentence about all of them, where they are not worth a sentence of their own."""
    if found := strays(key, known):
        here().setdefault(LEFT_OUT, {})[key] = found
    else:
        left_out().pop(key, None)


def sift(key: str, known: Sequence[str]) -> None:
    """For parts of the link that no widget shows: take out what is not known, and note it for the same sentence.

    Nothing is noted of what the page itself wrote, or took before.
    """
    asked, seen = st.query_params.get_all(key), _seen(key)
    strange = [one for one in asked if one not in known]
    if strange and (seen is None or seen.linked != asked):
        here().setdefault(LEFT_OUT, {})[key] = strange
    write(key, [one for one in asked if one in known])


def write(key: str, values: Sequence[str]) -> None:
    """Write such a part into the link, or take it out where there is none."""
    if not values:
        st.query_params.pop(key, None)
    elif st.query_params.get_all(key) != list(values):
        st.query_params[key] = list(values)
    here()[_noted(key)] = Seen(_linked(key), None, None)


def left_out() -> dict[str, list[str]]:
    """Key → what the link asked for in vain, since this page is shown."""
    noted: dict[str, list[str]] = here().get(LEFT_OUT, {})
    return noted


RESULTS, METRIC, FOUND, DOWN, ACROSS = "results", "metric", "found", "rows", "columns"
NETWORK, SCORE, TEST, MINUS, CELL = "network", "score", "test", "minus", "cell"
CURVES_AGAINST, CURVES_SEED, ALL_SCORES = "curves-against", "curves-seed", "all-scores"
CURVES_RULE, CURVES_AREA = "curves-rule", "curves-area"


def cell() -> list[str]:
    """Network, score and test set of the cell that the link opens; empty where it names none."""
    parts = st.query_params.get(CELL, "").split("|")
    return parts if len(parts) == 3 else []


def curves() -> bool:
    """Whether the link opens a cell, or says how its curves are drawn."""
    return bool(cell()) or any(
        key in st.query_params for key in (CURVES_AGAINST, CURVES_SEED, CURVES_RULE, CURVES_AREA)
    )


def open_cell(id_: str) -> None:
    """Write a cell into the link."""
    write(CELL, [id_])


LESSON, STEP, PRESENT = "lesson", "step", "present"


def lesson() -> str:
    """Which lesson the link names; empty for the list."""
    return st.query_params.get(LESSON, "")


def step() -> int:
    """Which step of it, from 1; what is no number counts as absent."""
    text = st.query_params.get(STEP, "1")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 1


def presenting() -> bool:
    """Whether a room looks on."""
    return st.query_params.get(PRESENT) == "1"


def to_lesson(name: str, number: int = 1) -> None:
    """Another lesson or step; dials in the link belong to the old one."""
    kept = {PRESENT: "1"} if presenting() else {}
    st.query_params.from_dict({LESSON: name, STEP: str(number)} | kept)


def to_lessons() -> None:
    """The list."""
    st.query_params.clear()


def present(on: bool) -> None:
    """Begin presenting, or leave it."""
    link(PRESENT, "1" if on else "")


def photo() -> str:
    """Beginning of the hash of the picture that a link looks at, or "" where it names none."""
    text = st.query_params.get(PHOTO, "")
    return text if HASH.fullmatch(text) else ""


def look_at(photo: str) -> None:
    """Write a picture's hash into the link, shortened."""
    write(PHOTO, [photo[:12]])


def looked_at(photo: str) -> bool:
    """Whether the page wrote it there, or showed it."""
    seen = _seen(PHOTO)
    return seen is not None and seen.linked == [photo]


def seed() -> int:
    """The seed in the link; what is no number of at most four digits counts as 0."""
    text = st.query_params.get(SEED, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0


def reseed() -> None:
    """The next one."""
    st.query_params[SEED] = str((seed() + 1) % SEEDS)


SPACE, SECOND, SECOND_SPACE, TWO, COLOUR, PLACED = "space", "beside", "beside-space", "two", "colour", "placed"
MAP_SEED, NEIGHBOURS, PACKING = "map-seed", "neighbours", "packing"
COLOURS = ("set", "class", "energy", "representation")
HIDDEN, SELECTED, OF_CLASS, ORDER = "hidden", "selected", "selected-class", "order"


def colour() -> str:
    """What points of a map are coloured by; what is no such thing counts as absent."""
    wanted = st.query_params.get(COLOUR, "")
    return wanted if wanted in COLOURS else "class"


def hidden() -> list[str]:
    """Sets that a map leaves out."""
    return st.query_params.get_all(HIDDEN)


def paint(colour: str) -> None:
    """Write it into the link; the default is left out of it."""
    if colour in COLOURS:
        write(COLOUR, [colour] if colour != "class" else [])


class Seen(NamedTuple):
    """What held when a choice was last drawn."""

    linked: list[str] | None  # in the link
    value: Any
    usual: Any


def choose(key: str, known: Sequence[str], usual: str | None) -> None:
    """Before the widget with this key is drawn: give it what the link says, where that is new.

    Else it keeps what it shows, or what was chosen when this page was last open; else it gets the usual. For choices
    whose options have other words on the page than in links: a bound widget reads and writes the words.
    """
    value = wanted(key, usual)
    st.session_state[key] = value if value in known else usual


def choose_some(key: str, known: Sequence[str], usual: Sequence[str], most: int | None = None) -> None:
    """The same for several, at most so many; `?key=` asks for none."""
    linked, value = _chosen_before(key, list(usual))
    if linked is not None:
        value = linked if [one for one in linked if one in known] or linked == [""] else usual
    st.session_state[key] = [one for one in dict.fromkeys(value) if one in known][:most]


def wanted(key: str, usual: str | None) -> Any:
    """What `choose` would give the widget, if that is known."""
    linked, value = _chosen_before(key, usual)
    if linked is not None:
        value = linked[-1] if linked else usual
    return value


def chosen(key: str, value: str | Sequence[str] | None, usual: str | Sequence[str] | None) -> None:
    """After it was drawn: write its value into the link; the usual one is left out of it."""
    kept: dict[str, Any] = st.session_state.setdefault(KEPT, {})
    if value is None or value == usual:
        kept.pop(key, None)
        st.query_params.pop(key, None)
    else:
        kept[key] = value
        words = [value] if isinstance(value, str) else list(value) or [""]
        if st.query_params.get_all(key) != words:
            st.query_params[key] = words
    here()[_noted(key)] = Seen(_linked(key), value, usual)


def _chosen_before(key: str, usual: Any) -> tuple[list[str] | None, Any]:
    """What the link says, where that is new since the last look; and what holds where it is not."""
    linked, seen, kept = _linked(key), _seen(key), st.session_state.get(KEPT, {}).get(key, usual)
    if isinstance(kept, str) is isinstance(usual, list):  # another page chooses one where this one chooses several
        kept = usual
    if seen is None:  # just arrived
        return linked, kept
    if linked != seen.linked:
        return linked or [], usual
    current = st.session_state.get(key, kept)
    return None, usual if current == seen.usual else current  # what nobody chose follows the usual


def _seen(key: str) -> Seen | None:
    found: Seen | None = here().get(_noted(key))
    return found


def _noted(key: str) -> str:
    return f"{key} in the link"


def _linked(key: str) -> list[str] | None:
    return st.query_params.get_all(key) if key in st.query_params else None


LOSS, PRESET, RUN = "loss", "setting", "run"
AUXILIARY, OUTLIERS, OVER, NUMBERS = "auxiliary", "outliers", "over", "numbers"
