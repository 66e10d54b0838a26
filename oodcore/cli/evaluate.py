"""`ood evaluate`: checkpoints against OOD sets, with conventions, intervals and doubts."""

from pathlib import Path
from typing import Annotated

import typer

from oodcore.cli import options
from oodcore.cli.opening import opened
from oodcore.cli.results import hand_over, require_writable
from oodcore.cli.screen import progress
from oodcore.cli.sets import outliers, read
from oodcore.cli.trial import Trial, work

EXAMPLES = options.examples(
    "ood evaluate my-checkpoint --id cifar10 --ood svhn,dtd",
    "ood evaluate a b --id cifar10-jpeg --ood all --scorers all --csv table.csv",
    "ood evaluate resnet20.th --id cifar10-clean --scorers energy,msp --json -",
)


def evaluate(
    checkpoints: Annotated[
        list[str], typer.Argument(metavar="CHECKPOINT…", help="Shipped names, folders, files of weights, timm:NAME, …")
    ],
    id_name: options.IdName,
    ood: Annotated[list[str] | None, typer.Option("--ood", help="OOD sets; else all comparable ones here.")] = None,
    scorers: options.Scorers = None,
    intervals: Annotated[bool, typer.Option("--intervals", help="Bootstrap intervals for every metric.")] = False,
    all_metrics: Annotated[bool, typer.Option("--all-metrics", help="Show every metric in the tables.")] = False,
    auxiliary: Annotated[
        list[str] | None, typer.Option("--aux", help="Outliers it was trained with, besides those on its card.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=2, help="At most so many images of each test set; a fit on the way takes all."),
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the rows as CSV.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Write all as JSON; - prints nothing else.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write the tables as Markdown.")] = None,
    cache: options.Cache = True,
    data: options.Data = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
    batch_size: options.Batch = 256,
) -> None:
    """Measure how well scorers tell OOD sets from the in-distribution test set.

    AUROC, AUPR and FPR95 in both conventions, each with its name. Refused: JPEG-coded beside lossless sets, and test
    images that the checkpoint was trained on as outliers. A checkpoint without a fitted panel is fitted on the way,
    on the whole in-distribution training split, whatever --limit says; `ood fit` can take less and keeps the result.
    """
    files = {".csv": csv, ".json": as_json, ".md": markdown}
    require_writable(files)
    root, place = options.data_root(data), options.prepare(device, threads)
    with progress() as tell:
        inside = read(id_name, "test", root, tell, limit)
        tests = [read(name, "test", root, tell, limit) for name in outliers(options.names(ood), id_name, root)]
        trial = Trial(id_name, inside, tests, root, work(batch_size, cache, tell), tell)
        results = [
            trial.run(opened(source, place, root), options.names(scorers), options.names(auxiliary), intervals)
            for source in checkpoints
        ]
    hand_over(results, files, whole=all_metrics)
