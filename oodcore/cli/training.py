"""What the verbs that train share: their options, the run itself, and what they print of it."""

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oodcore.cli.guard import STOPPED, say
from oodcore.cli.options import prepare
from oodcore.cli.screen import progress, remark, show
from oodcore.cli.trial import work
from oodcore.cli.watching import in_words, watching
from oodcore.errors import OODError

if TYPE_CHECKING:
    from rich.table import Table

    from oodcore.config import Experiment
    from oodcore.jobs import RunFolder

Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Another value, as train.lr=0.01.")
]
Seed = Annotated[int | None, typer.Option("--seed", help="Order, crops, dropout and fresh weights follow from it.")]
Out = Annotated[Path | None, typer.Option("--out", help="The run's folder; else ./runs/NAME-SEED.")]
Devices = Annotated[int, typer.Option("--devices", min=1, help="Processes on each machine.")]
Nodes = Annotated[
    int,
    typer.Option(
        "--nodes", min=1, help="Machines; start the same line on each, with MASTER_ADDR, MASTER_PORT and NODE_RANK set."
    ),
]
Steps = Annotated[int | None, typer.Option("--steps", min=1, help="Updates, instead of epochs.")]
Epochs = Annotated[int | None, typer.Option("--epochs", min=1, help="Sweeps over the in-distribution images.")]
Rate = Annotated[float | None, typer.Option("--lr", help="Learning rate at the start.")]
LongTail = Annotated[
    float | None,
    typer.Option("--long-tail", help="Tail over head of the images per class; else as the checkpoint was trained."),
]

RUNS = Path("runs")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run computes, and where its images are."""

    accelerator: str
    devices: int
    nodes: int
    root: Path | None
    cache: bool


def machine(device: str, threads: int | None, devices: int, nodes: int, root: Path | None, cache: bool) -> Machine:
    """What was asked for.

    Raises:
        OODError: it is not here.
    """
    import torch

    place = prepare(device, threads)
    if place.index:
        raise OODError(
            f"Training takes the first GPUs that it sees. For {place}, set CUDA_VISIBLE_DEVICES={place.index}."
        )
    if place.type == "cuda" and devices > torch.cuda.device_count():
        raise OODError(f"--devices {devices}: this machine has {torch.cuda.device_count()} GPUs.")
    return Machine(place.type, devices, nodes, root, cache)


def run_folder(out: Path | None, name: str, seed: int) -> Path:
    """`--out`, or a folder in ./runs."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.")
    return out or RUNS / f"{plain}-{seed}"


def called(source: str) -> str:
    """A short name of a recipe or a checkpoint; the result of a run is called after its folder."""
    path = Path(source)
    if path.name == "checkpoint" and path.parent.name:
        return path.parent.name
    return path.stem if path.is_file() or path.suffix == ".toml" else path.name


def without_none(**values: Any) -> dict[str, Any]:
    """What was given."""
    return {name: value for name, value in values.items() if value is not None}


def tail_of(given: float | None, checkpoint: str, id_name: str, root: Path | None) -> float | None:
    """`--long-tail`, else what this set was cut to when the checkpoint was trained, as its card says; None is whole."""
    from oodcore.checkpoint import read_card
    from oodcore.cli.opening import folder_behind

    if given is not None:
        return None if given == 1 else given
    folder = folder_behind(checkpoint, root)
    data = read_card(folder).recipe.get("data") if folder else None
    if not isinstance(data, Mapping) or data.get("inliers") != id_name or not data.get("long_tail"):
        return None
    remark(f"Long tail {data['long_tail']:g}, as '{checkpoint}' was trained; --long-tail 1 takes all images.")
    return float(data["long_tail"])


def carry_out(experiment: "Experiment", folder: Path, where: Machine) -> Path | None:
    """Run to the end, or until it is stopped; show progress, what was measured, and the last validation.

    Returns:
        The result's folder; None on a process that only helps another.

    Raises:
        OODError: see `oodcore.jobs.run`.
        typer.Exit: it was stopped.
    """
    from oodcore.jobs import RunFolder

    place = RunFolder(folder)
    try:
        last = _watched(experiment, place, where)
    except KeyboardInterrupt:
        last = "cancelled"
    if last == "cancelled":
        say(_stopped(place))
        raise typer.Exit(STOPPED)
    if last is None:
        return None
    show(f"checkpoint: {place.checkpoint}")
    if validations := [event for event in place.events() if event["kind"] == "validation"]:
        show(f"last validation: {in_words(validations[-1])}")
    return place.checkpoint


def _watched(experiment: "Experiment", place: "RunFolder", where: Machine) -> str | None:
    """The kind of the last event; None where there was none."""
    from oodcore.jobs import run

    with progress() as tell:
        events = run(
            experiment,
            place.path,
            root=where.root,
            work=work(256, where.cache, tell),
            accelerator=where.accelerator,
            devices=where.devices,
            nodes=where.nodes,
        )
        event = next(events, None)  # everything is read and measured now
    if event is not None and event.kind == "finished":
        remark(f"The run in '{place.path}' has finished before; nothing was done.")
    last = None
    with closing(events), watching() as see:
        while event is not None:
            last = event.kind
            if last == "prepared":
                show_measured(event.values, experiment, where.root)
            see(event, _steps(place))
            event = next(events, None)
    return last


def _steps(place: "RunFolder") -> int:
    status = place.status
    return status.steps if status else 0


def _stopped(place: "RunFolder") -> str:
    status = place.status
    if status is None or not status.steps:
        return f"Stopped before the first step. The same command starts the run in '{place.path}' again."
    return (
        f"Stopped at step {status.step:,} of {status.steps:,}. The same command goes on from there; "
        f"everything is in '{place.path}'."
    )


def show_measured(values: Mapping[str, Any], experiment: "Experiment", root: Path | None) -> None:
    """The margins and the class prior with which the run starts, and what to know of them."""
    loss = values.get("loss", {})
    if (rule := experiment.margins) is not None and "margin_in" in loss:
        inside, outside = f"percentile {rule.inside:g} of in-distribution", f"percentile {rule.outside:g} of outliers'"
        said = ["as given"] * 2 if experiment.gives_margins else [f"{inside} energies", f"{outside} energies"]
        show(f"margin_in {loss['margin_in']:.3f}: {said[0]}\nmargin_out {loss['margin_out']:.3f}: {said[1]}")
        if rule.alpha_gap is not None:
            show(f"alpha {loss['alpha']:.3f}: scaled to the gap between them")
    if values.get("prior"):
        show(_prior(values["prior"], _classes(experiment, root, len(values["prior"]))))
        for finding in values.get("findings", ()):
            remark(finding)


def _prior(counts: list[int], classes: list[str]) -> "Table":
    from rich.table import Table

    table = Table("class", "outliers", "share", box=None, pad_edge=False)
    for name, count in zip(classes, counts, strict=True):
        table.add_row(name, f"{count:,}", f"{count / max(sum(counts), 1):.2%}")
    return table


def _classes(experiment: "Experiment", root: Path | None, k: int) -> list[str]:
    """Their names, from the card of the start; numbers where there is none."""
    from oodcore.checkpoint import read_card
    from oodcore.cli.opening import folder_behind
    from oodcore.models.network import class_names

    source = experiment.model.checkpoint
    folder = None if source is None else folder_behind(source, root)
    return list(class_names(k) if folder is None else read_card(folder).classes)
