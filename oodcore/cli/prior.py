"""`ood prior`: into which classes a network sorts auxiliary outliers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oodcore.cli import options
from oodcore.cli.opening import Opened, opened
from oodcore.cli.screen import progress, remark, show, show_json
from oodcore.cli.sets import read, whole_training
from oodcore.cli.trial import work

if TYPE_CHECKING:
    from rich.table import Table

    from oodcore.records import Bank

EXAMPLES = options.examples(
    "ood prior shapes-resnet20w4 --outliers shapes-aux-50",
    "ood prior my-network --outliers random-300k --gamma 0.05 --gamma 0.75 --json",
)
USUAL = 0.75  # of the long-tailed settings


def prior(
    checkpoint: Annotated[str, typer.Argument(help="The network before fine-tuning: a name, a folder, a file.")],
    outliers: Annotated[str, typer.Option("--outliers", help="Auxiliary outliers: a name of `ood data list`, a path.")],
    gamma: Annotated[
        list[float] | None, typer.Option("--gamma", help="Tempering, repeatable: 0 is uniform, 1 the prior; else 0.75.")
    ] = None,
    as_json: options.Json = False,
    cache: options.Cache = True,
    data: options.Data = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
    batch_size: options.Batch = 256,
) -> None:
    """Count auxiliary outliers by the class that the network takes them for: what balanced energy learns from.

    Beside the counts stand the prior, the tempered prior, and the average softmax, which the published priors do not
    use.
    """
    root, place = options.data_root(data), options.prepare(device, threads)
    gammas = list(dict.fromkeys(gamma or [USUAL]))
    found = opened(checkpoint, place, root)
    about = _measured(found, _bank(found, outliers, root, batch_size, cache), gammas)
    if as_json:
        show_json({"checkpoint": found.name, "outliers": outliers, **about})
        return
    show(_table(about))
    for finding in about["findings"]:
        remark(finding)


def _bank(found: Opened, outliers: str, root: Path | None, batch_size: int, cache: bool) -> "Bank":
    from oodcore.evaluate.work import bank_of

    with progress() as tell:
        images = read(outliers, whole_training(outliers), root, tell)
        return bank_of(found.model, images, work(batch_size, cache, tell))


def _measured(found: Opened, bank: "Bank", gammas: list[float]) -> dict[str, Any]:
    """As JSON values."""
    from oodcore.checks import prior_zeros
    from oodcore.priors import outlier_counts, softmax_average, temper

    counts = outlier_counts(bank.chunks())
    findings = [str(each) for gamma in gammas if (each := prior_zeros(counts, gamma)) is not None]
    return {
        "images": int(counts.sum()),
        "classes": list(found.model.classes),
        "counts": counts.tolist(),
        "prior": temper(counts, 1.0).tolist(),
        "tempered": {f"{gamma:g}": temper(counts, gamma).tolist() for gamma in gammas},
        "softmax_average": softmax_average(bank.chunks()).tolist(),
        "findings": findings,
    }


def _table(about: dict[str, Any]) -> "Table":
    from rich.table import Table

    heads = "class", "outliers", "prior", *(f"gamma {gamma}" for gamma in about["tempered"]), "softmax average"
    table = Table(*heads, box=None, pad_edge=False)
    shares = about["prior"], *about["tempered"].values(), about["softmax_average"]
    for row, (name, count) in enumerate(zip(about["classes"], about["counts"], strict=True)):
        table.add_row(name, f"{count:,}", *(f"{column[row]:.2%}" for column in shares))
    return table
