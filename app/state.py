"""What a link carries: keys of the URL, their defaults, and how they are read."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

__all__ = [
    "ACCEPTANCE", "AGAINST", "ALSO", "BESIDE", "CHECKPOINT", "KEEP", "MAP", "SCORER", "SHOW",
    "arrive", "by_p", "choose", "choose_some", "chosen", "here", "keep", "look_at", "photo", "remember", "reseed",
    "reword", "seed", "stray", "strays", "viewed",
]  # fmt: skip

CHECKPOINT, SCORER, AGAINST, SHOW, KEEP = "checkpoint", "scorer", "against", "show", "keep"
BESIDE, ALSO, MAP, BY = "with", "also", "map", "by"
PHOTO, SEED, VIEW = "photo", "seed", "view"
ACCEPTANCE = 0.95
SEEDS = 10_000
PAGE, HERE, KEPT = "page shown", "here", "choices"


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
    if acceptance == ACCEPTANCE:
        st.query_params.pop(KEEP, None)
    else:
        st.query_params[KEEP] = f"{100 * acceptance:g}"


def by_p() -> bool:
    """Whether the link words the dial as a p-value instead of a share to keep."""
    return st.query_params.get(BY) == "p"


def reword(by_p: bool) -> None:
    """Write the wording into the link; the default is left out of it."""
    if by_p:
        st.query_params[BY] = "p"
    else:
        st.query_params.pop(BY, None)


def stray(key: str, known: Sequence[str]) -> str | None:
    """What a link asked for that this server does not have. Ask before the widget with this key is drawn."""
    wanted = st.query_params.get(key)
    return wanted if wanted and wanted not in known else None


def strays(key: str, known: Sequence[str]) -> list[str]:
    """The same where a link may ask for several."""
    return [wanted for wanted in st.query_params.get_all(key) if wanted and wanted not in known]


RESULTS, METRIC, FOUND, DOWN, ACROSS = "results", "metric", "found", "rows", "columns"
NETWORK, SCORE, TEST, MINUS, CELL = "network", "score", "test", "minus", "cell"
CURVES_AGAINST, CURVES_SEED, ALL_SCORES = "curves-against", "curves-seed", "all-scores"
CURVES_RULE, CURVES_AREA = "curves-rule", "curves-area"


def cell() -> list[str]:
    """Network, score and test set of the cell that the link opens; empty where it names none."""
    parts = st.query_params.get(CELL, "").split("|")
    return parts if len(parts) == 3 else []


def linked(key: str, options: Sequence[str], usual: str) -> str:
    """Give the widget with this key what it shows: the visitor's choice, else the link's, else the usual.

    For choices whose options have other words on the page than in links: Streamlit's own binding writes the words.
    """
    value = st.session_state.get(key, st.query_params.get(key))
    st.session_state[key] = value if value in options else usual
    return str(st.session_state[key])


def link(key: str, value: str, usual: str) -> None:
    """Write a choice into the link; the usual one is left out of it."""
    if value == usual:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != value:
        st.query_params[key] = value


def open_cell(id_: str) -> None:
    """Write a cell into the link."""
    st.query_params[CELL] = id_


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
    if on:
        st.query_params[PRESENT] = "1"
    else:
        st.query_params.pop(PRESENT, None)


def photo() -> str:
    """Beginning of the hash of the picture that a link looks at, or ""."""
    return st.query_params.get(PHOTO, "")


def look_at(photo: str) -> None:
    """Write a picture's hash into the link, shortened."""
    st.query_params[PHOTO] = photo[:12]


def seed() -> int:
    """The seed in the link; what is no number of at most four digits counts as 0."""
    text = st.query_params.get(SEED, "")
    return int(text) if text.isascii() and text.isdigit() and int(text) < SEEDS else 0


def reseed() -> None:
    """The next one."""
    st.query_params[SEED] = str((seed() + 1) % SEEDS)


SPACE, SECOND, SECOND_SPACE, TWO, COLOUR, PLACED = "space", "beside", "beside-space", "two", "colour", "placed"
MAP_SEED, NEIGHBOURS, PACKING = "map-seed", "neighbours", "packing"
COLOURS = ("set", "class", "energy", "representation")
HIDDEN = "hidden"


def colour() -> str:
    """What points of a map are coloured by; what is no such thing counts as absent."""
    wanted = st.query_params.get(COLOUR, "")
    return wanted if wanted in COLOURS else "class"


def hidden() -> list[str]:
    """Sets that a map leaves out."""
    return st.query_params.get_all(HIDDEN)


def hide(names: Sequence[str]) -> None:
    """Write them into the link; none are left out of it."""
    if not names:
        st.query_params.pop(HIDDEN, None)
    elif st.query_params.get_all(HIDDEN) != list(names):
        st.query_params[HIDDEN] = list(names)


def paint(colour: str) -> None:
    """Write it into the link; the default is left out of it."""
    if colour == "class":
        st.query_params.pop(COLOUR, None)
    elif colour in COLOURS:
        st.query_params[COLOUR] = colour


def choose(key: str, known: Sequence[str], usual: str) -> None:
    """Before the widget with this key is drawn: give it what the link says, where that is new.

    Else it keeps what it shows, or what was chosen when this page was last open; else it gets the usual. For choices
    whose options have other words on the page than in links: a bound widget reads and writes the words.
    """
    linked, value = _chosen_before(key, usual)
    if linked is not None:
        value = linked[-1] if linked else usual
    st.session_state[key] = value if value in known else usual


def choose_some(key: str, known: Sequence[str], usual: Sequence[str]) -> None:
    """The same for several; `?key=` asks for none."""
    linked, value = _chosen_before(key, list(usual))
    if linked is not None:
        value = linked if [one for one in linked if one in known] or linked == [""] else usual
    st.session_state[key] = [one for one in value if one in known]


def chosen(key: str, value: str | Sequence[str], usual: str | Sequence[str]) -> None:
    """After it was drawn: write its value into the link; the usual one is left out of it."""
    kept: dict[str, Any] = st.session_state.setdefault(KEPT, {})
    if value == usual:
        kept.pop(key, None)
        st.query_params.pop(key, None)
    else:
        kept[key] = value
        wanted = [value] if isinstance(value, str) else list(value) or [""]
        if st.query_params.get_all(key) != wanted:
            st.query_params[key] = wanted
    here()[_seen(key)] = _linked(key), usual


def _chosen_before(key: str, usual: Any) -> tuple[list[str] | None, Any]:
    """What the link says, where that is new since the last look; and what holds where it is not."""
    linked = _linked(key)
    if (before := here().get(_seen(key))) is None:  # just arrived
        return linked, st.session_state.get(KEPT, {}).get(key, usual)
    seen, once = before
    if linked != seen:
        return linked or [], usual
    current = st.session_state.get(key, usual)
    return None, usual if current == once else current  # what nobody chose follows the usual


def _linked(key: str) -> list[str] | None:
    return st.query_params.get_all(key) if key in st.query_params else None


LOSS, PRESET, RUN = "loss", "setting", "run"
AUXILIARY, OUTLIERS, OVER, NUMBERS = "auxiliary", "outliers", "over", "numbers"


def follow(key: str, known: Sequence[str], default: str | None, *, widget: str) -> None:
    """Before a widget is drawn: give it what the link says, where that is new; the default where it has nothing valid.

    For choices whose labels are not what a link should carry: a bound widget writes its labels.
    """
    wanted, before = st.query_params.get(key), st.session_state.get(_seen(widget))
    current = st.session_state.get(widget)
    if widget not in st.session_state or (current is not None and current not in known) or wanted != before:
        st.session_state[widget] = wanted if wanted in known else default
    st.session_state[_seen(widget)] = wanted


def lead(key: str, value: str | None, default: str | None, *, widget: str) -> None:
    """After it was drawn: write its value into the link; the default is left out of it."""
    if value is None or value == default:
        st.query_params.pop(key, None)
        value = None
    elif st.query_params.get(key) != value:
        st.query_params[key] = value
    st.session_state[_seen(widget)] = value


def _seen(widget: str) -> str:
    return f"{widget} in the link"


def viewed(views: Sequence[str]) -> str:
    """Which of a page's views is shown: the session's, else the link's, else the first; then the link says so.

    A bound widget would write its label into the link.
    """
    if st.session_state.get(VIEW) not in views:
        wanted = st.query_params.get(VIEW)
        st.session_state[VIEW] = wanted if wanted in views else views[0]
    view = str(st.session_state[VIEW])
    if view == views[0]:
        st.query_params.pop(VIEW, None)
    else:
        st.query_params[VIEW] = view
    return view
