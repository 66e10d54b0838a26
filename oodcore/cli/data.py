"""`ood data`: the catalogue of image sets, what is here, how to get the rest, and whether it is sound."""

from dataclasses import asdict
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

    from oodcore.data import Checked, Entry

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
    """Read every image of a set: counts, empty classes, broken images, images that occur twice or in two splits."""
    from oodcore.data import check as checked

    folder = data_root(root)
    found: list[Checked] = []
    problems: list[str] = []
    for name in names:
        try:
            with progress() as tell:
                found += checked(name, folder, partial(tell, f"Reading {name}"))
        except OODError as error:
            problems.append(str(error))
    problems += [sentence for part in found for sentence in part.broken]
    if as_json:
        show_json([_line(part) for part in found])
    else:
        show(_table(found))
    for problem in problems:
        say(problem)
    if problems:
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


def _line(part: "Checked") -> dict[str, Any]:
    return {**asdict(part), "doubles": len(part.doubles)}


def _table(parts: list["Checked"]) -> "Table":
    from rich.table import Table

    numbers = "images", "broken", "classes", "smallest class", "doubles"
    table = Table("name", "split", *numbers, "also in", "digest", box=None)
    for part in parts:
        also = ", ".join(f"{split}: {count}" for split, count in part.also_in.items()) or "-"
        counts = part.images, len(part.broken), part.classes, part.smallest_class, len(part.doubles)
        table.add_row(part.name, part.split, *map(str, counts), also, part.digest[:12])
    return table
