"""`ood fit`: one pass over the training images, and every scorer knows what is normal."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oodcore.cli import options
from oodcore.cli.opening import Opened, folder_behind, opened
from oodcore.cli.screen import progress, remark, show
from oodcore.cli.sets import read, some
from oodcore.cli.trial import work
from oodcore.errors import CheckpointError

if TYPE_CHECKING:
    from oodcore.checkpoint import Card
    from oodcore.panel import FittedPanel

EXAMPLES = options.examples(
    "ood fit my-checkpoint --id cifar10 --ood svhn,dtd",
    "ood fit my-checkpoint --id ~/parts --scorers energy,knn --out fitted",
)
ACCEPT = 0.95


def fit(
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint's name, or its folder.")],
    id_name: options.IdName,
    out: Annotated[
        Path | None, typer.Option("--out", help="A new checkpoint folder; else the same is completed.")
    ] = None,
    scorers: options.Scorers = None,
    ood: Annotated[
        list[str] | None, typer.Option("--ood", help="OOD sets to show beside: a few outputs of each.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=2, help="At most so many images of each split, evenly spread.")
    ] = None,
    cache: options.Cache = True,
    data: options.Data = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
    batch_size: options.Batch = 256,
) -> None:
    """Fit scorers on the training split of a set, calibrate their thresholds, and keep both with the checkpoint.

    Thresholds come from the calibration split, which is in neither the training split nor the test. For weights from
    elsewhere run `ood checkpoints import` first.
    """
    root, place = options.data_root(data), options.prepare(device, threads)
    target = _target(checkpoint, out, root)
    found = opened(checkpoint, place, root)
    with progress() as tell:
        how = work(batch_size, cache, tell)
        calibration, test = (read(id_name, split, root, tell, limit) for split in ("calibration", "test"))
        others = [read(name, "test", root, tell, limit) for name in options.names(ood)]
        from oodcore.evaluate import as_trained, fit_panel, make_reference

        train = some(as_trained(found.model.card, read(id_name, "train", root, tell)), limit)
        panel = fit_panel(found.model, train, calibration, options.names(scorers) or "all", how)
        reference = make_reference(found.model, {images.name: images for images in (test, *others)}, how)
    _keep(found, target, panel, reference)
    show(
        f"{len(panel.names)} scorers, fitted on {len(train):,} and calibrated on {len(calibration):,} images: {target}"
    )
    if found.model.card is None or not found.model.card.recipe:
        remark(
            f"If these weights were trained elsewhere on all training images of '{id_name}', they have seen the "
            "calibration images too, and more known images will be flagged than the thresholds promise."
        )
    for reason in panel.about["skipped"].values():
        remark(f"Left out: {reason}")


def _target(checkpoint: str, out: Path | None, root: Path | None) -> Path:
    """Where the result goes, refused before any work."""
    from oodcore.checkpoint import is_shipped
    from oodcore.checkpoint.layout import CARD, LAYOUT, MODEL, PANEL, REFERENCE

    folder = folder_behind(checkpoint, root)
    if folder is None:
        raise CheckpointError(
            f"'{checkpoint}' has no folder to keep a panel in. First: ood checkpoints import {checkpoint} --name NAME"
        )
    if out is not None:
        if out.exists():
            raise CheckpointError(f"'{out}' exists already. Name a new folder with --out.")
        return out
    if is_shipped(folder):
        raise CheckpointError(
            f"'{checkpoint}' is shipped and stays as it is. Name a folder for the result, as --out checkpoints/NAME."
        )
    own = {MODEL, PANEL, REFERENCE, LAYOUT, CARD}
    if foreign := sorted(path.name for path in folder.iterdir() if path.name not in own):
        raise CheckpointError(f"'{folder}' also holds {', '.join(foreign[:3])}; name a new folder with --out.")
    return folder


def _keep(found: Opened, target: Path, panel: "FittedPanel", reference: dict[str, Any]) -> None:
    """The whole checkpoint anew, in one step: a panel and a card that do not belong together are never seen."""
    from oodcore.checkpoint import save

    save(target, found.model.cpu(), _card(found, panel), panel=panel, reference=reference)


def _card(found: Opened, panel: "FittedPanel") -> "Card":
    from dataclasses import replace

    from oodcore.checkpoint import Card, read_card

    card = read_card(found.folder) if found.folder else Card.of(found.model)
    calibrated = {"acceptance": ACCEPT, "calibration": panel.about["calibration"]}
    return replace(card, thresholds={"scores": _thresholds(panel), **calibrated})


def _thresholds(panel: "FittedPanel") -> dict[str, float]:
    """At the usual acceptance; none where there are too few calibration images for it."""
    from oodcore.errors import ScoreError

    try:
        return panel.thresholds(ACCEPT)
    except ScoreError:
        return {}
