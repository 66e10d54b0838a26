"""Weights that a visitor brings: looked at and tried in memory, then kept under a name that their content gives.

Nothing of a visitor's making becomes a path. What is kept is never overwritten, and only who brought it, known by a
token that no one else has, may fit or remove it. There is room for so much from each, and for so much from all.
"""

import hashlib
import hmac
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from oodcore.atomic import replacing
from oodcore.checkpoint.card import Card
from oodcore.checkpoint.layout import CARD, PANEL
from oodcore.checkpoint.loading import described, load
from oodcore.checkpoint.places import FOLDER, is_shipped, known, size_of
from oodcore.checkpoint.store import save, swap
from oodcore.data.roots import cache_folder, roots
from oodcore.data.transforms import Preprocessing
from oodcore.errors import CheckpointError
from oodcore.models import Network
from oodcore.models.fingerprint import weights_hash
from oodcore.models.weights_file import SUFFIXES, Upload

__all__ = [
    "EACH",
    "EVERYONE",
    "FILE_BYTES",
    "UPLOAD_BYTES",
    "Quota",
    "adopt",
    "class_list",
    "examine",
    "fittable",
    "is_own",
    "keep",
    "own_folder",
    "owned",
    "publish",
    "recognised",
    "remove",
    "require_room",
    "try_out",
    "weights_size",
    "within_roots",
]


@dataclass(frozen=True, slots=True)
class Quota:
    """What may be kept.

    Args:
        number: Of checkpoints.
        size: Bytes, with all that was fitted.
    """

    number: int
    size: int


EACH, EVERYONE = Quota(12, 2**30), Quota(200, 8 * 2**30)
UPLOAD_BYTES = 64 * 2**20
FILE_BYTES = 2**30
LIBRARY_BYTES = 400 * 2**20
LIBRARY = re.compile(r"(timm|torchvision):[A-Za-z0-9_.\-]+")
OWNERS = ".owners"
LONGEST = 80  # letters of a title or a class name


def own_folder() -> Path:
    """Where checkpoints of this server's visitors are kept."""
    return cache_folder() / FOLDER


def examine(
    source: Upload | Path | str,
    *,
    classes: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
) -> Network:
    """Recognise the weights and try them once; nothing is written.

    Args:
        source: A file in memory, a file of this machine that `within_roots` allowed, or `"timm:NAME"` and the like.
        classes: Names of the logits, instead of the assumed ones.
        preprocessing: Instead of the assumed one.

    Raises:
        CheckpointError: too large, not a checkpoint, unsafe, damaged, not recognised, another number of classes, or
            a forward pass that gives no numbers. One sentence says which.
        UnknownNameError: the library has no such network.
    """
    model = described(recognised(source), classes, preprocessing)
    try_out(model)
    return model


def recognised(source: Upload | Path | str) -> Network:
    """The first half of `examine`: what the file says by itself, not yet tried.

    Raises:
        CheckpointError: see `examine`.
        UnknownNameError: the library has no such network.
    """
    if isinstance(source, str) and not LIBRARY.fullmatch(source):
        raise CheckpointError("A network of a library is named as 'timm:NAME' or 'torchvision:NAME'.")
    if isinstance(source, str):
        _refuse_library(source)
    else:
        _refuse_size(source)
    return load(source)


def try_out(model: Network) -> None:
    """The second half of `examine`: one pass with two pictures of noise.

    Raises:
        CheckpointError: it fails, or gives no numbers.
    """
    side = model.transform.size
    noise = torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    try:
        with torch.inference_mode():
            outputs = model(model.transform.normalise(noise))
    except (RuntimeError, ValueError, IndexError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"The network fails on images of {side}×{side} pixels: {first}.") from None
    if not bool(outputs.logits.isfinite().all()):
        raise CheckpointError("The network gives NaN or infinity for a picture of noise. Check the weights.")


def weights_size(model: Network) -> int:
    """Bytes of all parameters and buffers."""
    return sum(tensor.nbytes for tensor in model.state_dict().values())


def within_roots(text: str) -> Path:
    """The file of weights that a visitor names; it must lie in a data root or in the cache, links included.

    Raises:
        CheckpointError: outside of them, not there, or of another kind.
    """
    allowed = [folder.resolve() for folder in (*roots(), cache_folder())]
    try:
        path = Path(text.strip()).expanduser()
        places = [path] if path.is_absolute() else [folder / path for folder in allowed]
        found = next((place.resolve() for place in places if place.is_file()), None)
    except (OSError, ValueError, RuntimeError):  # a null byte, a name that is too long, an unknown user
        found = None
    inside = found is not None and any(found.is_relative_to(folder) for folder in allowed)
    if found is None or not inside or found.suffix.lower() not in SUFFIXES:
        raise CheckpointError(
            f"There is no file of weights '{text}' in this server's data folders. Give a path below one of them "
            f"({', '.join(SUFFIXES)}), or upload the file."
        )
    return found


def class_list(text: str, outputs: int) -> tuple[str, ...] | None:
    """Names as a person types them, with commas or one a line; None where nothing was typed.

    Raises:
        CheckpointError: another number of names than outputs, two that are equal, or one that is very long.
    """
    names = tuple(name for part in re.split(r"[,\n]", text) if (name := _line(part)))
    if not names:
        return None
    if len(names) != outputs:
        raise CheckpointError(f"The network has {outputs} outputs; {len(names)} class names were given.")
    if len({name.casefold() for name in names}) < len(names):
        raise CheckpointError("Two classes have the same name. Every output needs a name of its own.")
    return names


def keep(model: Network, *, owner_hash: str, title: str = "", source: str = "") -> Path:
    """Save it with the visitors' checkpoints; the same content is kept once by each owner.

    What somebody else has fitted already is not kept again: it is theirs, and serves everyone.

    Args:
        model: From `examine`.
        owner_hash: sha256 of the token of who brought it.
        title: One line for lists.
        source: What the file was called; told on the card only.

    Raises:
        CheckpointError: no room is left; see `require_room`.
    """
    folder = _place_of(model, owner_hash)
    if not folder.exists():
        require_room(owner_hash, weights_size(model))
        shown = _line(title) or f"{model.architecture}, brought by a visitor"
        _note_owner(folder.name, owner_hash)  # first: what nobody owns is the server's
        save(folder, model, Card.of(model, title=shown, parent=_line(source) or None))
    return folder


def require_room(owner_hash: str, size: int = 0) -> None:
    """Before something is kept or fetched.

    Args:
        owner_hash: Whose it will be.
        size: Bytes of it, as far as they are known.

    Raises:
        CheckpointError: this visitor keeps as much as one person may, or all of them do; it names what to delete.
    """
    kept = {card.parent: _owner(card.parent) for card in own_folder().glob(f"[!.]*/{CARD}")}
    theirs = [folder for folder in kept if kept[folder] == owner_hash]
    if _beyond(EACH, theirs, size):
        names = ", ".join(f"'{folder.name}'" for folder in sorted(theirs, key=size_of, reverse=True)[:3])
        advice = f" Delete one of yours on the Checkpoints page first: {names}." if names else ""
        raise CheckpointError(
            f"You keep {len(theirs)} checkpoints of {sum(map(size_of, theirs)) / 2**20:,.0f} MB, and this one has "
            f"{size / 2**20:,.0f} MB; one person may keep {EACH.number} of {EACH.size / 2**20:,.0f} MB in all.{advice}"
        )
    if _beyond(EVERYONE, [folder for folder in kept if kept[folder]], size):
        raise CheckpointError(
            f"The visitors of this server keep as many checkpoints as it has room for ({EVERYONE.number}, or "
            f"{EVERYONE.size / 2**30:,.0f} GB). Somebody has to delete one on the Checkpoints page first."
        )


def adopt(made: Path, title: str, *, owner_hash: str) -> Path:
    """Keep the checkpoint that a run made, under a name of letters, digits and hyphens.

    Args:
        made: Its folder, which stays.
        title: What its owner calls it.
        owner_hash: sha256 of the token of whoever made it.

    Raises:
        CheckpointError: no letter in the name, a name that is taken, nothing there, or no room; see `require_room`.
    """
    name = _plain(title)
    if not name:
        raise CheckpointError("Give it a name with letters or digits.")
    if name.startswith("own-"):  # so `keep` names what was uploaded, and finds it again
        raise CheckpointError("Names that begin with 'own-' are given to uploads. Choose another name.")
    if name in known() or (own_folder() / name).exists():
        raise CheckpointError(f"There is a checkpoint '{name}' here already. Choose another name.")
    if not made.is_dir():
        raise CheckpointError("There is nothing to keep any more: the run was discarded.")
    require_room(owner_hash, size_of(made))
    folder, part = own_folder() / name, own_folder() / f".{name}.new"
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(made, part)
    _note_owner(name, owner_hash)
    swap(part, folder)
    return folder


def is_own(folder: Path) -> bool:
    """Whether it lies with the visitors' checkpoints, and is not shipped."""
    return folder.resolve().parent == own_folder().resolve() and not is_shipped(folder)


def owned(folder: Path, owner: str) -> bool:
    """Whether the visitor with this token brought it."""
    noted = _owner(folder)
    return noted != "" and hmac.compare_digest(noted, _hashed(owner))


def fittable(folder: Path, owner_hash: str) -> bool:
    """Whether this visitor may fit it: their own whenever they like, the server's own while it is not fitted."""
    if is_shipped(folder):
        return False
    noted = _owner(folder)
    return hmac.compare_digest(noted, owner_hash) if noted else not (folder / PANEL).is_file()


def remove(folder: Path, owner: str) -> None:
    """Delete a visitor's own checkpoint.

    Raises:
        CheckpointError: it is shipped, somebody else's, or gone.
    """
    if is_shipped(folder):
        raise CheckpointError(f"'{folder.name}' ships with the app and cannot be deleted.")
    if not folder.is_dir():
        raise CheckpointError(f"'{folder.name}' is no longer there.")
    if not owned(folder, owner):
        raise CheckpointError(f"'{folder.name}' was brought by somebody else, who alone can delete it.")
    shutil.rmtree(folder)
    (own_folder() / OWNERS / folder.name).unlink(missing_ok=True)


def publish(made: Path, folder: Path, *, owner_hash: str) -> None:
    """Put what was made of a checkpoint in its place, as a whole.

    Raises:
        CheckpointError: it was deleted meanwhile, is shipped, or is somebody else's.
    """
    if is_shipped(folder) or not folder.is_dir():
        raise CheckpointError(f"'{folder.name}' is no longer there, so nothing was added to it.")
    if _owner(folder) not in ("", owner_hash):
        raise CheckpointError(f"'{folder.name}' was brought by somebody else, who alone can fit it.")
    part = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(made, part)
    swap(part, folder)


def _refuse_size(source: Upload | Path) -> None:
    size, limit = (
        (len(source.content), UPLOAD_BYTES) if isinstance(source, Upload) else (source.stat().st_size, FILE_BYTES)
    )
    if size > limit:
        raise CheckpointError(
            f"'{source.name}' has {size / 2**20:,.0f} MB; the limit is {limit // 2**20:,} MB. Save the weights alone, "
            "without the optimiser."
        )
    if source.suffix.lower() not in SUFFIXES:
        raise CheckpointError(f"'{source.name}' is no file of weights. Give one of {', '.join(SUFFIXES)}.")


def _refuse_library(name: str) -> None:
    """Counted on a network without weights, so that nothing is fetched in vain."""
    from oodcore.models.libraries import bytes_of

    if (size := bytes_of(name)) > LIBRARY_BYTES:
        raise CheckpointError(
            f"'{name}' has {size / 2**20:,.0f} MB of weights; the limit is {LIBRARY_BYTES // 2**20} MB. Take a "
            "smaller one of its family."
        )


def _note_owner(name: str, owner_hash: str) -> None:
    with replacing(own_folder() / OWNERS / name) as part:
        part.write_text(owner_hash, "utf-8")


def _owner(folder: Path) -> str:
    """Hash of the token of who brought it; "" where nobody did."""
    place = own_folder() / OWNERS / folder.name
    return place.read_text("utf-8") if is_own(folder) and place.is_file() else ""


def _beyond(quota: Quota, kept: Sequence[Path], size: int) -> bool:
    return len(kept) >= quota.number or sum(map(size_of, kept)) + size > quota.size


def _place_of(model: Network, owner_hash: str) -> Path:
    """By content; by content and owner where somebody else keeps the same and has not fitted it."""
    content, start = _content(model), f"own-{_plain(model.architecture)}"
    shared, single = (own_folder() / f"{start}-{end[:12]}" for end in (content, _hashed(content + owner_hash)))
    if single.exists():
        return single
    elsewhere = shared.exists() and _owner(shared) not in ("", owner_hash) and not (shared / PANEL).is_file()
    return single if elsewhere else shared


def _content(model: Network) -> str:
    about = json.dumps([model.architecture, model.classes, model.transform.to_json(), weights_hash(model)])
    return _hashed(about)


def _plain(architecture: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", architecture.casefold()).strip("-")[:40]


def _line(text: str) -> str:
    """Printable, one line, not too long."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:LONGEST]


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
