"""`ood blocks`: which block's FeatureNorm tells whole pictures from shuffled ones, and ID from OOD."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from oodcore.cli import options
from oodcore.cli.opening import opened
from oodcore.cli.screen import progress, remark, show, show_json
from oodcore.cli.sets import read
from oodcore.cli.trial import work

if TYPE_CHECKING:
    from rich.table import Table

    from oodcore.data import ImageSet
    from oodcore.evaluate import Work
    from oodcore.models import Network

EXAMPLES = options.examples(
    "ood blocks my-checkpoint --id cifar10", "ood blocks resnet20.th --id cifar10-clean --ood ood-mnist-clean"
)
Line = dict[str, Any]


def blocks(
    checkpoint: Annotated[str, typer.Argument(help="Shipped name, folder, file of weights, timm:NAME, …")],
    id_name: options.IdName,
    ood: Annotated[list[str] | None, typer.Option("--ood", help="OOD sets; adds the AUROC of every block.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=2, help="At most so many images of each set.")] = 1000,
    cache: options.Cache = True,
    data: options.Data = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
    batch_size: options.Batch = 256,
    as_json: options.Json = False,
) -> None:
    """NormRatio of every block over training images and their jigsaws, and the block that it selects.

    No outliers are needed for the choice. With --ood, AUROC of every block's norm on the test splits shows whether
    the choice was good.
    """
    root, place = options.data_root(data), options.prepare(device, threads)
    found = opened(checkpoint, place, root)
    with progress() as tell:
        from oodcore.evaluate import select_block

        how = work(batch_size, cache, tell)
        ratios = select_block(found.model, read(id_name, "train", root, tell, limit), how)
        lines: list[Line] = [
            {"block": name, "norm_ratio": float(value), "selected": index == ratios.selected, "auroc": {}}
            for index, (name, value) in enumerate(zip(ratios.blocks, ratios.values, strict=True))
        ]
        if others := options.names(ood):
            inside = read(id_name, "test", root, tell, limit)
            _add_auroc(lines, found.model, inside, [read(name, "test", root, tell, limit) for name in others], how)
    if as_json:
        show_json({"checkpoint": found.name, "id": id_name, "blocks": lines, "silent": ratios.silent})
        return
    show(_table(lines))
    remark(f"Selected: {ratios.blocks[ratios.selected]}, whose ratio is largest.")


def _add_auroc(lines: list[Line], model: "Network", inside: "ImageSet", others: list["ImageSet"], how: "Work") -> None:
    from oodcore.data.disjoint import check_codings
    from oodcore.evaluate.blocks import block_aurocs
    from oodcore.evaluate.work import bank_of

    check_codings([inside, *others], model.transform)
    within = bank_of(model, inside, how)
    for images in others:
        areas = block_aurocs(within, bank_of(model, images, how))
        for line, area in zip(lines, areas.tolist(), strict=True):
            line["auroc"][images.name] = area


def _table(lines: list[Line]) -> "Table":
    from rich.table import Table

    sets = list(lines[0]["auroc"])
    table = Table("block", box=None, pad_edge=False)
    table.add_column("NormRatio", justify="right")
    for name in sets:
        table.add_column(f"AUROC {name}, %", justify="right")
    table.add_column("")
    for line in lines:
        values = (f"{100 * line['auroc'][name]:.1f}" for name in sets)
        table.add_row(line["block"], f"{line['norm_ratio']:.4f}", *values, "selected" if line["selected"] else "")
    return table
