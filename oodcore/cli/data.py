"""`ood data`: the catalogue of image sets, what is here, how to get the rest, and whether it is sound."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oodcore.cli.guard import BAD_INPUT, say
from oodcore.cli.options import Data, Json, data_root, examples
from oodcore.cli.screen import progress, remark, show, show_json
from oodcore.errors import OODError

if TYPE_CHECKING:
    from rich.table import Table

    from oodcore.data import ImageSet
    from oodcore.data.entry import Entry

data = typer.Typer(no_args_is_help=True, help="List, get, check and show image sets.")
Names = Annotated[list[str], typer.Argument(help="Names that `ood data list` shows, or folders and files of your own.")]


@data.command("list", epilog=examples("ood data list", "ood data list --role far", "ood data list --json"))
def list_sets(
    role: Annotated[str | None, typer.Option("--role", help="Only id, auxiliary, near, far or own.")] = None,
    root: Data = None,
    as_json: Json = False,
) -> None:
    """Every known image set: its role, its coding, and whether it is here."""
    from oodcore.data.catalogue import entries

    folder = data_root(root)
    found = [described(known, folder) for known in entries() if role in (None, known.role)]
    if not found:
        raise OODError(f"No image set has the role '{role}'. Roles: id, auxiliary, near, far, own.")
    if as_json:
        show_json(found)
        return
    from rich.table import Table

    table = Table("name", "role", "classes", "coding", "splits", "here", "what", box=None, pad_edge=False)
    for each in found:
        here = "yes" if each["present"] else "no"
        cells = each["name"], each["role"], str(each["classes"]), each["coding"], " ".join(each["splits"]), here
        table.add_row(*cells, each["title"])
    show(table)
    remark("`ood data show NAME` tells the licence and how to get a set.")


@data.command(epilog=examples("ood data get cifar10", "ood data get svhn --data /sets"))
def get(names: Names, root: Data = None) -> None:
    """Download a set that has a public download; for others, say where they are from."""
    from oodcore.data import catalogue

    for name in names:
        with progress() as tell:
            folder = catalogue.get(name, root, partial(tell, f"Getting {name}"))
        show(f"{name} is in {folder}")


@data.command(epilog=examples("ood data check cifar10-clean", "ood data check ~/photos --json"))
def check(names: Names, root: Data = None, as_json: Json = False) -> None:
    """Read every image of a set: counts, empty classes, images that occur twice or in two splits."""
    folder = data_root(root)
    found: list[dict[str, Any]] = []
    failed = 0
    for name in names:
        try:
            found += _examined(name, folder)
        except OODError as error:
            failed += 1
            say(str(error))
    if as_json:
        show_json(found)
    else:
        show(_table(found))
    if failed:
        raise typer.Exit(BAD_INPUT)


@data.command("show", epilog=examples("ood data show ood-gtsrb", "ood data show shapes --json"))
def show_set(
    name: Annotated[str, typer.Argument(help="A name that `ood data list` shows.")],
    root: Data = None,
    as_json: Json = False,
) -> None:
    """Licence, origin and splits of one set, and how to get it."""
    from oodcore.data.catalogue import entry

    about = described(entry(name), data_root(root))
    if as_json:
        show_json(about)
        return
    for key, value in about.items():
        shown = ", ".join(value) if isinstance(value, list) else {True: "yes", False: "no"}.get(value, str(value))
        show(f"{key:9}{shown}")


def described(known: "Entry", root: Path | None) -> dict[str, Any]:
    """What the catalogue says, as JSON values."""
    return {
        "name": known.name,
        "title": known.title,
        "role": known.role,
        "classes": known.classes,
        "coding": known.coding,
        "splits": list(known.splits),
        "present": known.present(root),
        "licence": known.licence,
        "how": known.how,
    }


def _splits(name: str, root: Path | None) -> list[str]:
    """Those of the catalogue that do not repeat others; a folder's own, with the whole training part in one."""
    from oodcore.data.catalogue import entries, entry
    from oodcore.data.entry import FULL_TRAIN
    from oodcore.data.folders import split_folders

    path = Path(name).expanduser()
    if name not in {known.name for known in entries()} and path.exists():
        parts = split_folders(path) if path.is_dir() else ()
        divides = "calibration" not in parts
        return [FULL_TRAIN if part == "train" and divides else part for part in parts] or ["all"]
    return [split for split in entry(name).splits if split != FULL_TRAIN]


def _examined(name: str, root: Path | None) -> list[dict[str, Any]]:
    """One line per split."""
    from oodcore.data.catalogue import open_set

    lines: list[dict[str, Any]] = []
    seen: dict[str, str] = {}
    for split in _splits(name, root):
        with progress() as tell:
            images = open_set(name, split, root, partial(tell, f"Reading {name}"))
        lines.append(_line(images, split, seen))
        seen |= dict.fromkeys(images.fingerprints, split)
    return lines


def _line(images: "ImageSet", split: str, seen: dict[str, str]) -> dict[str, Any]:
    own = images.fingerprints
    return {
        "name": images.name,
        "split": split,
        "images": len(images),
        "classes": len(images.classes),
        "smallest_class": min(images.counts.values(), default=0),
        "empty_classes": [name for name, count in images.counts.items() if count == 0],
        "doubles": len(own) - len(set(own)),
        "also_in": {other: count for other in dict.fromkeys(seen.values()) if (count := _shared(own, seen, other))},
        "coding": images.coding,
        "digest": images.digest,
    }


def _shared(own: tuple[str, ...], seen: dict[str, str], split: str) -> int:
    return sum(seen.get(fingerprint) == split for fingerprint in own)


def _table(lines: list[dict[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table("name", "split", "images", "classes", "smallest class", "doubles", "also in", "digest", box=None)
    for line in lines:
        also = ", ".join(f"{split}: {count}" for split, count in line["also_in"].items()) or "-"
        numbers = (str(line[key]) for key in ("images", "classes", "smallest_class", "doubles"))
        table.add_row(line["name"], line["split"], *numbers, also, line["digest"][:12])
    return table
