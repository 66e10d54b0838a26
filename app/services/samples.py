"""What lies on the board: drawn samples, sample photographs, and a visitor's own files."""

import base64
import hashlib
import io
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal, NamedTuple, Protocol

from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from app.services.memory import Content, Memory, Shelf
from oodcore.data import PHOTOS, Coding, Entry, ImageSet, Photo, Preprocessing, decode, entries, open_set
from oodcore.data.coded_sets import CIFAR10
from oodcore.data.procedural import procedural
from oodcore.errors import DataError

__all__ = [
    "LIMIT",
    "MEGABYTES",
    "Group",
    "Picture",
    "Prepared",
    "Upload",
    "as_grey",
    "as_seen",
    "forget",
    "from_files",
    "groups",
    "let_go_with",
    "lost",
    "prepare",
    "prepared",
]

LIMIT = 64
MEGABYTES = 8
TOGETHER = 1024  # megabytes of photos that all visitors of a server have in its memory
Truth = Literal["id", "ood"] | None
"""Whether the network was trained on such pictures; None where nobody knows."""

GREY = 192  # pixels of a side at least
PALE = [110 + level * 140 // 255 for level in range(256)]
THUMBNAIL = 176  # pixels: twice what a card shows, for sharp screens


class Picture(NamedTuple):
    """One picture that can be read again; only its thumbnail is kept, never the whole."""

    id: str  # sha256 of its content
    name: str
    group: str
    truth: Truth
    coding: Coding
    read: Callable[[], Image.Image]


class Prepared(NamedTuple):
    """A picture as the page shows it and as the network sees it; the first two are data URIs."""

    original: str
    seen: str
    small: bool  # the original is no finer than the network's view
    pixels: UInt8[Tensor, "3 s s"]


class File(Protocol):
    """What `st.file_uploader` hands over."""

    name: str
    file_id: str

    def getvalue(self) -> bytes: ...


class Upload(NamedTuple):
    """A visitor's file, decoded whenever a network with another preprocessing looks at it."""

    sha256: str
    content: Content


@dataclass(frozen=True, slots=True)
class Group:
    """Sample pictures that one click puts on the board.

    Args:
        title: On the button.
        strange: Whether most of them show nothing that this network was trained on.
        first: Whether the page opens with it.
        pictures: They themselves, drawn or read when asked for.
    """

    title: str
    strange: bool
    first: bool
    pictures: Callable[[], list[Picture]]


def groups(classes: Sequence[str], known: str | None) -> dict[str, Group]:
    """Name → group, for one network. Only its own set, where it has one at hand, is read from disk.

    Args:
        classes: Of the network.
        known: Name of the set whose classes they are, if the checkpoint says so.
    """
    own = tuple(classes) == _drawn("shapes", 1).classes
    shapes = partial(_drawings, "shapes", 7, "known shape" if own else "drawn shape", "id" if own else "ood")
    found = {
        "shapes": Group("Known shapes" if own else "Drawn shapes", not own, True, shapes),
        "new": Group("New shapes", True, own, partial(_drawings, "shapes-near", 5, "new shape", "ood")),
        "textures": Group("Textures", True, own, partial(_drawings, "shapes-far", 4, "texture", "ood")),
        "photographs": Group("Photographs", True, not own, partial(_photographs, tuple(classes))),
    }
    at_hand = None if own else _at_hand(known)
    if at_hand is None:
        return found
    return {"known": Group("Known images", False, True, partial(_known_images, at_hand.name))} | found


def _at_hand(known: str | None) -> Entry | None:
    """The network's own set, where it is in the catalogue and on this machine."""
    return next((entry for entry in entries() if entry.name == known and entry.present()), None)


@cache
def _drawn(name: str, count: int) -> ImageSet:
    return procedural(name, "test", count=count)


@cache
def _drawings(name: str, count: int, group: str, truth: Truth) -> list[Picture]:
    return _pictures(_drawn(name, count), group, truth)


@cache
def _known_images(name: str) -> list[Picture]:
    images = open_set(name, "test")
    return _pictures(images.take(slice(0, 8)), "known image", "id")


def _pictures(images: ImageSet, group: str, truth: Truth) -> list[Picture]:
    found = []
    for sample in images:
        pixels = sample.image.movedim(0, -1).contiguous().numpy()
        name = images.classes[sample.label] if sample.label >= 0 else sample.key
        found.append(
            Picture(_hash(pixels.tobytes()), name, group, truth, images.coding, partial(Image.fromarray, pixels))
        )
    return found


@cache
def _photographs(classes: tuple[str, ...]) -> list[Picture]:
    """The gallery; it is known what CIFAR-10 and the drawn shapes make of it, and of no other network."""
    sure = classes in (CIFAR10, _drawn("shapes", 1).classes)
    return [
        Picture(
            _hash(photo.picture.tobytes()),
            photo.name,
            "photograph",
            ("id" if photo.cifar10 in classes else "ood") if sure else None,
            "lossless",
            partial(_read, photo),
        )
        for photo in PHOTOS
    ]


def _read(photo: Photo) -> Image.Image:
    return photo.picture


def from_files(
    files: Sequence[File], uploads: MutableMapping[str, Upload], dropped: Callable[[str], None]
) -> tuple[list[Picture], list[str]]:
    """A visitor's files, at most `LIMIT` and each content once, and a sentence for each that is left out.

    Args:
        files: In the order in which they were given.
        uploads: The session's memory of file id → content, so that a file is read and hashed once.
        dropped: Told the id of a file that had to make room for those of others, or was forgotten.
    """
    found: dict[str, Picture] = {}
    sentences = []
    if len(files) > LIMIT:
        sentences.append(f"You gave {len(files)} files; the first {LIMIT} are used. Remove some to see the others.")
    for file in files[:LIMIT]:
        if file.file_id not in uploads:
            data = file.getvalue()
            uploads[file.file_id] = Upload(_hash(data), _UPLOADS.put(data, partial(dropped, file.file_id)))
        key, content = uploads[file.file_id]
        if key in found:
            sentences.append(f"'{file.name}' is the same file as '{found[key].name}'; it is shown once.")
        else:
            found[key] = Picture(key, file.name, "yours", None, "lossless", _Decoded(file.name, content))
    return list(found.values()), sentences


def lost(picture: Picture) -> bool:
    """Whether it was a visitor's, and had to make room for those of others."""
    return isinstance(picture.read, _Decoded) and picture.read.content.bytes is None


def forget(picture: Picture) -> None:
    """Take a visitor's file out of memory, and what was made of it."""
    if isinstance(picture.read, _Decoded):
        picture.read.content.drop()
        for memory in _KEEPERS:
            memory.drop(lambda key: _mentions(key, picture.id))


def let_go_with(memory: Memory[Any, Any]) -> None:
    """When a visitor's picture is forgotten, drop what this memory holds under keys that mention its id."""
    _KEEPERS.append(memory)


def prepare(pictures: Sequence[Picture], transform: Preprocessing) -> tuple[list[Picture], list[str]]:
    """Those that can be read, and a sentence for each of the others. A file is decoded once for each preprocessing."""
    good, sentences = [], []
    for picture in pictures:
        made = prepared(picture, transform)
        if isinstance(made, Prepared):
            good.append(picture)
        else:
            sentences.append(made)
    return good, sentences


def prepared(picture: Picture, transform: Preprocessing) -> Prepared | str:
    """Thumbnails and the network's input, or the sentence that says why there are none."""
    try:
        return _MADE.find((picture.id, picture.name, picture.coding, transform), partial(_make, picture, transform))
    except _LostError as problem:  # no property of the content, so it is not kept
        return str(problem)


_UPLOADS = Shelf(TOGETHER * 2**20)
_MADE: Memory[tuple[str, str, Coding, Preprocessing], Prepared | str] = Memory(2048)
_KEEPERS: list[Memory[Any, Any]] = [_MADE]


def _mentions(key: object, id_: str) -> bool:
    """Whether the id stands in a key, at any depth."""
    return key == id_ or (isinstance(key, tuple) and any(_mentions(part, id_) for part in key))


def _make(picture: Picture, transform: Preprocessing) -> Prepared | str:
    try:
        image = picture.read()
        pixels = transform.pixels(image, picture.coding)
    except _LostError:
        raise
    except DataError as problem:
        return str(problem)
    return Prepared(_uri(_square(image)), as_seen(pixels), min(image.size) <= transform.size, pixels)


def as_seen(pixels: UInt8[Tensor, "3 h w"]) -> str:
    """Pixels as a data URI."""
    return _uri(Image.fromarray(pixels.movedim(0, -1).contiguous().numpy()))


def as_grey(pixels: UInt8[Tensor, "3 h w"]) -> str:
    """Pixels as a data URI without colour, pale and smooth, so that colours can be laid over it."""
    grey = Image.fromarray(pixels.movedim(0, -1).contiguous().numpy()).convert("L").point(PALE)
    side = max(GREY, *grey.size)
    return _uri(grey.resize((side, side), Image.Resampling.BICUBIC))


class _LostError(DataError):
    """The bytes are no longer there."""


@dataclass(frozen=True, slots=True)
class _Decoded:
    """Reads a visitor's file, as long as it is there."""

    name: str
    content: Content

    def __call__(self) -> Image.Image:
        if (data := self.content.bytes) is None:
            raise _LostError(f"'{self.name}' had to make room for newer photos. Drop it in again.")
        return decode(data, self.name)


def _square(image: Image.Image) -> Image.Image:
    """The centre square at thumbnail size; a small picture keeps its own pixels."""
    width, height = image.size
    short = min(width, height)
    left, top = (width - short) // 2, (height - short) // 2
    side = min(short, THUMBNAIL)
    return image.resize((side, side), Image.Resampling.LANCZOS, box=(left, top, left + short, top + short))


def _uri(image: Image.Image) -> str:
    data = io.BytesIO()
    image.save(data, "WEBP", lossless=image.width <= 64, quality=82)
    return "data:image/webp;base64," + base64.b64encode(data.getvalue()).decode()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
