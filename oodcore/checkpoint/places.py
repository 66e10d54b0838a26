"""Where checkpoints are: the shipped ones, and a person's own. The command line and the pages both look here."""

import json
from pathlib import Path

from oodcore.checkpoint.card import CARD
from oodcore.data.roots import cache_folder, roots
from oodcore.errors import CheckpointError, UnknownNameError
from oodcore.registry import did_you_mean

__all__ = ["folder_of", "is_shipped", "known", "shipped"]

MANIFEST = "MANIFEST.json"
FOLDER = "checkpoints"
PACKAGE = Path(__file__).parents[1]


def shipped() -> list[str]:
    """Names of the checkpoints that come with this package, sorted: those that its manifest lists."""
    root = _shipped_root()
    return sorted(name for name in listed(root) if (root / name / CARD).is_file())


def is_shipped(folder: Path) -> bool:
    """Whether the manifest beside a checkpoint folder lists it; other folders there are a person's own."""
    folder = folder.resolve()
    return folder.name in listed(folder.parent)


def known() -> dict[str, Path]:
    """Every checkpoint that has a name here, with its folder.

    The shipped ones; then those in `./checkpoints`, where `ood checkpoints import` puts them; then those in a folder
    `checkpoints` of the data roots and of the user's cache. The first of a name counts.
    """
    found = {name: _shipped_root() / name for name in shipped()}
    for root in (Path(), *roots(), cache_folder()):
        for card in sorted(root.glob(f"{FOLDER}/[!.]*/{CARD}")):
            found.setdefault(card.parent.name, card.parent)
    return found


def folder_of(source: Path | str) -> Path:
    """The folder of a checkpoint, by path or by name (`"NAME"` or `"checkpoints/NAME"`), as `known` lists them.

    Raises:
        CheckpointError: a folder without a card.
        UnknownNameError: neither a folder nor a known name.
    """
    path = Path(source)
    if (path / CARD).is_file():
        return path
    name, places = str(source).removeprefix(f"{FOLDER}/").strip("/"), known()
    if name in places:
        return places[name]
    if path.is_dir():
        raise CheckpointError(f"'{path}' is no checkpoint: it has no {CARD}.")
    hint = f"There is no checkpoint '{source}'. Give a folder, a file of weights, 'torchvision:NAME' or 'timm:NAME'."
    raise UnknownNameError(did_you_mean("checkpoint", name, list(places)) if places else hint)


def manifest(root: Path) -> dict[str, str]:
    """`NAME/FILE` → sha256 in hex, as `MANIFEST.json` of a folder says; empty where there is none.

    Raises:
        CheckpointError: it cannot be read.
    """
    path = root / MANIFEST
    if not path.is_file():
        return {}
    try:
        entries = json.loads(path.read_text("utf-8"))
        return {str(key): str(value) for key, value in entries.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"'{path}' cannot be read: {error}.") from None


def listed(root: Path) -> set[str]:
    """Names of the checkpoints in the manifest of a folder."""
    return {entry.partition("/")[0] for entry in manifest(root)}


def _shipped_root() -> Path:
    """`checkpoints/` beside the package in the repository, `_shipped` inside it in a wheel."""
    beside = PACKAGE.parent / FOLDER
    return beside if beside.is_dir() else PACKAGE / "_shipped"
