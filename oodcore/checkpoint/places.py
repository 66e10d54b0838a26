"""Where checkpoints and their files are: the shipped ones, and a person's own. Command line and pages look here."""

import json
from collections.abc import Mapping, Set
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from oodcore.checkpoint.card import read_card
from oodcore.checkpoint.layout import CARD
from oodcore.data.archives import file_digest
from oodcore.data.roots import cache_folder, roots
from oodcore.errors import CheckpointError, UnknownNameError
from oodcore.registry import did_you_mean

__all__ = ["file_of", "folder_of", "is_shipped", "known", "shipped", "size_of"]

MANIFEST = "MANIFEST.json"
FOLDER = "checkpoints"
PACKAGE = Path(__file__).parents[1]


def shipped() -> list[str]:
    """Names of the checkpoints that come with this package, sorted: those that its manifest lists."""
    root = _shipped_root()
    return sorted(name for name in listed(root) if (root / name / CARD).is_file())


def is_shipped(folder: Path) -> bool:
    """Whether the manifest beside a checkpoint folder lists it; other folders there are a person's own."""
    if folder.is_symlink() or folder.name in ("", ".."):
        folder = folder.resolve()
    return folder.name in listed(folder.parent)


def known(root: Path | str | None = None) -> dict[str, Path]:
    """Every checkpoint that has a name here, with its folder.

    The shipped ones; then those in `./checkpoints`, where `ood checkpoints import` puts them; then those in a folder
    `checkpoints` of the data roots and of the user's cache. The first of a name counts.

    Args:
        root: A data root that is searched instead of `OOD_DATA`, as in `open_set`.
    """
    beside = _shipped_root()
    found = {name: beside / name for name in shipped()}
    for place in (Path(), *roots(root), cache_folder()):
        for card in sorted(place.glob(f"{FOLDER}/[!.]*/{CARD}")):
            found.setdefault(card.parent.name, card.parent)
    return found


def folder_of(source: Path | str, root: Path | str | None = None) -> Path:
    """The folder of a checkpoint, by path or by name (`"NAME"` or `"checkpoints/NAME"`), as `known(root)` lists them.

    Raises:
        CheckpointError: a folder without a card.
        UnknownNameError: neither a folder nor a known name.
    """
    path = Path(source)
    if (path / CARD).is_file():
        return path
    name, places = str(source).removeprefix(f"{FOLDER}/").strip("/"), known(root)
    if name in places:
        return places[name]
    if path.is_dir():
        raise CheckpointError(f"'{path}' is no checkpoint: it has no {CARD}.")
    hint = f"There is no checkpoint '{source}'. Give a folder, a file of weights, 'torchvision:NAME' or 'timm:NAME'."
    raise UnknownNameError(did_you_mean("checkpoint", name, list(places)) if places else hint)


def file_of(source: Path | str, name: str) -> Path | None:
    """A file of a checkpoint, after its hash was compared; None where the checkpoint has none.

    Args:
        source: As for `folder_of`.
        name: As `"panel.safetensors"`.

    Raises:
        CheckpointError: the file is not the one that the card or the manifest names.
    """
    folder = folder_of(source)
    path = folder / name
    if not path.is_file():
        return None
    of_card = {} if name == CARD else dict(read_card(folder).sha256)
    expected = [of_card.get(name), manifest(folder.parent).get(f"{folder.name}/{name}")]
    found = file_digest(path)
    if any(hash_ is not None and hash_ != found for hash_ in expected):
        raise CheckpointError(
            f"'{path}' was changed or damaged after it was saved: its sha256 is {found[:12]}…, not the recorded one. "
            "Get the checkpoint again."
        )
    return path


def manifest(root: Path) -> Mapping[str, str]:
    """`NAME/FILE` → sha256 in hex, as `MANIFEST.json` of a folder says; empty where there is none.

    It is read again only when the file is another one.

    Raises:
        CheckpointError: it cannot be read.
    """
    return _manifest(root).hashes


def listed(root: Path) -> Set[str]:
    """Names of the checkpoints in the manifest of a folder."""
    return _manifest(root).names


class Manifest(NamedTuple):
    """What a manifest says, and the names in it."""

    hashes: Mapping[str, str]
    names: Set[str]


def _manifest(root: Path) -> Manifest:
    path = root / MANIFEST
    try:
        about = path.stat()
    except OSError:
        return Manifest({}, frozenset())
    return _read(path.absolute(), about.st_size, about.st_mtime_ns, about.st_ino)


@lru_cache(maxsize=32)
def _read(path: Path, *stamp: int) -> Manifest:
    try:
        entries = json.loads(path.read_text("utf-8"))
        hashes = {str(key): str(value) for key, value in entries.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"'{path}' cannot be read: {error}.") from None
    return Manifest(MappingProxyType(hashes), frozenset(entry.partition("/")[0] for entry in hashes))


def size_of(folder: Path) -> int:
    """Bytes of the files in a checkpoint folder; 0 where it is not there."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) if folder.is_dir() else 0


def _shipped_root() -> Path:
    """`checkpoints/` beside the package in the repository, `_shipped` inside it in a wheel."""
    beside = PACKAGE.parent / FOLDER
    return beside if beside.is_dir() else PACKAGE / "_shipped"
