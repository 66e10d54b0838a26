"""Which known pictures lie closest to one of the board in a network's feature space, and what they look like.

Distances are those of directions, from 0 to 2, as the score KNN measures them.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from app.services.memory import Memory
from app.services.resources import Answer, Exhibit, Waiting, is_auxiliary, turn
from app.services.samples import as_seen, let_go_with
from app.services.sheets import how_to_get
from oodcore.data import ImageSet
from oodcore.errors import DataError
from oodcore.evaluate.pictures import reference_images, require_same
from oodcore.maps import measured, neighbours

__all__ = ["AMONG", "Closest", "Near", "closest", "is_found"]

AMONG = 20
"""Neighbours whose classes are counted."""
DRAWN = 8  # of them with a picture


@dataclass(frozen=True, slots=True)
class Near:
    """One known picture; `seen` is a data URI, or None where its set is not at hand."""

    label: str
    distance: float
    seen: str | None


@dataclass(frozen=True, slots=True)
class Closest:
    """The neighbours of one picture.

    Args:
        classes: Class and how many of the `AMONG` closest are of it, the most frequent first.
        pictures: The very closest, the closest first.
    """

    classes: Sequence[tuple[str, int]]
    pictures: Sequence[Near]


def closest(shown: Exhibit, answer: Answer, waiting: Waiting, picture: str = "") -> Closest | None:
    """Among the held-out known pictures of the checkpoint's reference; None where it brings none.

    Args:
        shown: The checkpoint.
        answer: What it says of the picture.
        waiting: See `Waiting`.
        picture: Its id, with which the answer is forgotten.
    """
    if shown.known is None:
        return None
    known = shown.known
    return _FOUND.find(_key(shown, answer, picture), lambda: _closest(shown, known, answer, waiting))


def is_found(shown: Exhibit, answer: Answer, picture: str = "") -> bool:
    """Whether `closest` answers at once."""
    return shown.known is None or _FOUND.get(_key(shown, answer, picture)) is not None


def _key(shown: Exhibit, answer: Answer, picture: str) -> tuple[str, str, bytes]:
    return shown.key, picture, answer.features.numpy().tobytes()


def _closest(shown: Exhibit, name: str, answer: Answer, waiting: Waiting) -> Closest:
    bank, names = shown.reference[name], shown.model.classes
    own, known = measured(answer.features[None], "cosine"), measured(bank.outputs.features, "cosine")
    (rows,), (distances,) = neighbours(own, known, AMONG)
    images = _pictures(shown, name, waiting)
    return Closest(
        Counter(names[label] for label in bank.labels[rows].tolist()).most_common(),
        [
            Near(
                names[int(bank.labels[row])],
                distance,
                None if images is None else _uri(images, shown.measured[name], row),
            )
            for row, distance in zip(rows.tolist()[:DRAWN], distances.tolist(), strict=False)
        ],
    )


_FOUND: Memory[tuple[str, str, bytes], Closest] = Memory(1024)
let_go_with(_FOUND)
_AT_HAND: Memory[tuple[Hashable, ...], ImageSet] = Memory(4)
_SAME: Memory[tuple[str, str], tuple[bool]] = Memory(64)
_SEEN: Memory[tuple[str, int, int], str] = Memory(1024)


def _pictures(shown: Exhibit, name: str, waiting: Waiting) -> ImageSet | None:
    """The pictures of the kept rows; None where the set is not at hand, or holds other pictures by now."""
    if how_to_get(name) is not None:
        return None
    auxiliary = tuple(sorted(other for other in shown.reference if is_auxiliary(other)))
    wanted, asked = (name, shown.measured[name], auxiliary), (shown.key, name)
    images, same = _AT_HAND.get(wanted), _SAME.get(asked)
    if images is None or same is None:
        with turn(waiting), suppress(DataError):  # drawing or reading takes a second, and the network looks at some
            images = _AT_HAND.find(wanted, lambda: reference_images(*wanted))
            same = _SAME.find(asked, lambda: (_same(shown, name, images),))
    return images if same is not None and same[0] else None


def _same(shown: Exhibit, name: str, images: ImageSet) -> bool:
    """Whether the network gives the numbers that the reference keeps for these pictures."""
    try:
        require_same(shown.model, images, shown.reference[name])
    except DataError:
        return False
    return True


def _uri(images: ImageSet, total: int, row: int) -> str:
    return _SEEN.find((images.name, total, row), lambda: as_seen(images[row].image))
