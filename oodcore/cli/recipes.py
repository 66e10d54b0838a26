"""`ood recipes`: the settings that come with this package."""

from typing import Annotated

import typer

from oodcore.cli import options
from oodcore.cli.screen import show, show_json

EXAMPLES = options.examples(
    "ood recipes",
    "ood recipes cifar10-lt-resnet18-balanced-energy > mine.toml",
    "ood train mine.toml",
)


def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this one, as a file to change.")] = None,
    as_json: options.Json = False,
) -> None:
    """List published settings and our own, with title and source; `ood train NAME` runs one."""
    from oodcore import config

    if name is not None:
        experiment = config.read_experiment(name)
        if as_json:
            show_json(experiment.to_json())
        else:
            show((config.RECIPES / f"{name}.toml").read_text("utf-8").rstrip())
        return
    found = {each: config.read_experiment(each) for each in config.recipes()}
    if as_json:
        show_json([{"name": each, "title": one.title, "source": one.source} for each, one in found.items()])
        return
    from rich.table import Table

    table = Table("name", "what", "source", box=None, pad_edge=False)
    for each, one in found.items():
        table.add_row(each, one.title, one.source)
    show(table)
