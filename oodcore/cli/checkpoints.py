"""`ood checkpoints`: which there are, what a card says, and weights from elsewhere."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oodcore.cli.opening import folder_behind
from oodcore.cli.options import Json, examples
from oodcore.cli.screen import remark, show, show_json
from oodcore.errors import CheckpointError, DataError

if TYPE_CHECKING:
    from oodcore.data import Preprocessing

checkpoints = typer.Typer(no_args_is_help=True, help="List, show and import checkpoints.")
Triple = tuple[float, float, float]


@checkpoints.command("list", epilog=examples("ood checkpoints list", "ood checkpoints list --folder runs --json"))
def list_checkpoints(
    folder: Annotated[Path | None, typer.Option("--folder", help="Also those in another folder of yours.")] = None,
    as_json: Json = False,
) -> None:
    """The checkpoints that can be named: shipped ones, and your own in ./checkpoints, the data roots and the cache."""
    found = list(_lines(_places(folder)))
    if as_json:
        show_json(found)
        return
    if not found:
        remark("There are no checkpoints here. `ood checkpoints import` brings in weights.")
        return
    from rich.table import Table

    heads = "name", "whose", "architecture", "classes", "coding", "panel", "reference", "what"
    table = Table(*heads, box=None, pad_edge=False)
    for line in found:
        marks = ("yes" if line[part] else "no" for part in ("panel", "reference"))
        whose = "shipped" if line["shipped"] else "own"
        about = line["architecture"], str(line["classes"]), line["coding"]
        table.add_row(line["name"], whose, *about, *marks, line["title"])
    show(table)


@checkpoints.command("show", epilog=examples("ood checkpoints show my-checkpoint", "ood checkpoints show NAME --json"))
def show_checkpoint(
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint's name, or its folder.")], as_json: Json = False
) -> None:
    """Everything that a checkpoint's card says, and what its panel was fitted on; hashes are verified."""
    about = _described(checkpoint)
    if as_json:
        show_json(about)
        return
    for key, value in {**about, "notes": " ".join(about["notes"])}.items():
        if value not in (None, "", [], {}):
            show(f"{key:14}{_shown(value)}")


@checkpoints.command("import", epilog=examples(
    "ood checkpoints import resnet20.th --name my-resnet",
    "ood checkpoints import net.pt --name net --classes cat,dog --mean 0.5 0.5 0.5 --std 0.25 0.25 0.25",
    "ood checkpoints import timm:resnet18.a1_in1k --name imagenet-resnet18",
))  # fmt: skip
def import_weights(
    source: Annotated[
        str, typer.Argument(help="A state dict (.pt, .pth, .th, .safetensors), timm:NAME, torchvision:NAME.")
    ],
    name: Annotated[str, typer.Option("--name", help="What to call it.")],
    folder: Annotated[Path, typer.Option("--folder", help="Where checkpoints are kept.")] = Path("checkpoints"),
    classes: Annotated[
        str | None, typer.Option("--classes", help="Names of the logits in order: with commas, or a file of lines.")
    ] = None,
    mean: Annotated[Triple | None, typer.Option("--mean", help="Subtracted per channel, of pixels in 0..1.")] = None,
    std: Annotated[Triple | None, typer.Option("--std", help="Divided by per channel.")] = None,
    size: Annotated[int | None, typer.Option("--size", min=1, help="Side of the network's input in pixels.")] = None,
    coding: Annotated[str | None, typer.Option("--coding", help="Of the training images: lossless or jpeg75.")] = None,
    title: Annotated[str, typer.Option("--title", help="One line for lists.")] = "",
) -> None:
    """Make a checkpoint folder of weights from elsewhere; nothing in them is executed.

    The architecture is recognised from the weights. A state dict carries no preprocessing and no class names: what is
    assumed is told, and can be set here.
    """
    from oodcore.checkpoint import import_checkpoint, load

    given = {"mean": mean, "std": std, "size": size, "coding": coding}
    model = load(source)
    prepared = _changed(model.transform, {key: value for key, value in given.items() if value is not None})
    path = import_checkpoint(source, folder, name, classes=_classes(classes), preprocessing=prepared, title=title)
    made = load(path)
    show(f"{made.architecture} with {len(made.classes)} classes: {path}")
    for note in made.notes:
        remark(note)
    named = name if _named(name, path) else path
    remark(f"Next: ood fit {named} --id SET (`ood data list` names the sets; a folder of images will do)")


def _named(name: str, path: Path) -> bool:
    """Whether the name alone finds what was just made."""
    from oodcore.checkpoint import known

    found = known().get(name)
    return found is not None and found.resolve() == path.resolve()


def _changed(assumed: "Preprocessing", given: dict[str, Any]) -> "Preprocessing | None":
    """None leaves what the weights say, or what is assumed for them."""
    from dataclasses import replace
    from typing import get_args

    from oodcore.data import Coding

    known = get_args(Coding)
    if given.get("coding", known[0]) not in known:
        raise DataError(f"--coding must be '{known[0]}' or '{known[1]}'; got '{given['coding']}'.")
    return replace(assumed, **given, assumed=False) if given else None


def _classes(given: str | None) -> list[str] | None:
    if given is None:
        return None
    path = Path(given)
    try:
        parts = path.read_text("utf-8").splitlines() if path.is_file() else given.split(",")
    except UnicodeDecodeError:
        raise CheckpointError(f"'{path}' is no text file. Write one class name per line.") from None
    return [part.strip() for part in parts if part.strip()]


def _places(folder: Path | None) -> list[Path]:
    from oodcore.checkpoint import known
    from oodcore.checkpoint.layout import CARD

    places = list(known().values())
    if folder is not None:
        there = sorted(path.parent for path in folder.glob(f"[!.]*/{CARD}"))
        if not there:
            raise CheckpointError(f"'{folder}' holds no checkpoints: no folder in it has a {CARD}.")
        seen = {place.resolve() for place in places}
        places += [place for place in there if place.resolve() not in seen]
    return places


def _lines(places: list[Path]) -> Iterator[dict[str, Any]]:
    """One for each; a damaged card is told and does not hide the others."""
    for place in places:
        try:
            yield _line(place)
        except CheckpointError as error:
            remark(str(error))


def _line(place: Path) -> dict[str, Any]:
    from oodcore.checkpoint import is_shipped, read_card
    from oodcore.checkpoint.layout import PANEL, REFERENCE

    card = read_card(place)
    return {
        "name": place.name,
        "shipped": is_shipped(place),
        "title": card.title,
        "architecture": card.architecture,
        "classes": len(card.classes),
        "coding": card.preprocessing.coding,
        "panel": (place / PANEL).is_file(),
        "reference": (place / REFERENCE).is_file(),
        "folder": str(place),
    }


def _described(checkpoint: str) -> dict[str, Any]:
    from oodcore.checkpoint import file_of, read_card
    from oodcore.checkpoint.layout import MODEL, PANEL, REFERENCE
    from oodcore.panel import Panel

    folder = folder_behind(checkpoint)
    if folder is None:
        raise CheckpointError(f"'{checkpoint}' has no card. `ood checkpoints import` makes a checkpoint of it.")
    found = {part: file_of(folder, part) for part in (MODEL, PANEL, REFERENCE)}
    panel = found[PANEL]
    fitted = Panel.load(panel) if panel is not None else None
    return {
        "name": folder.name,
        "folder": str(folder),
        **read_card(folder).to_json(),
        "scorers": list(fitted.names) if fitted else [],
        "fitted_on": dict(fitted.about) if fitted else {},
    }


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_shown(part) for part in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
