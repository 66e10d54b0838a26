"""`ood finetune`: a trained network meets auxiliary outliers."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oodcore.cli import options, training
from oodcore.cli.screen import remark
from oodcore.errors import OODError

if TYPE_CHECKING:
    from oodcore.config import Experiment

EXAMPLES = options.examples(
    "ood finetune shapes-resnet20w4 --loss energy --id shapes --outliers shapes-aux-50 --steps 200 --lr 0.01",
    "ood finetune my-network --loss balanced-energy --id cifar10 --outliers random-300k --margins -23,-5 --gamma 0.05",
    "ood finetune my-network --loss semantic-energy --id cifar10-jpeg --outliers tin-aux50 --set loss.warm_up=30",
)


def finetune(
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint's name, its folder, or a file of weights.")],
    loss: Annotated[str, typer.Option("--loss", help="energy, balanced-energy, outlier-exposure or semantic-energy.")],
    id_name: options.IdName,
    outliers: Annotated[str, typer.Option("--outliers", help="Auxiliary outliers, a name of `ood data list`.")],
    margins: Annotated[
        str | None,
        typer.Option("--margins", metavar="IN,OUT", help="Energy margins, as -23,-5; else measured on this network."),
    ] = None,
    weight: Annotated[float | None, typer.Option("--weight", help="Of the outlier side against cross-entropy.")] = None,
    alpha: Annotated[
        float | None,
        typer.Option(
            "--alpha",
            help="Balanced energy: rise of the margin; else 10 as for margins 18 apart, scaled to measured ones.",
        ),
    ] = None,
    gamma: Annotated[float | None, typer.Option("--gamma", help="Balanced energy: tempering of the prior.")] = None,
    pull: Annotated[float | None, typer.Option("--pull", help="Semantic energy: pull towards class centres.")] = None,
    steps: training.Steps = None,
    epochs: training.Epochs = None,
    lr: training.Rate = None,
    long_tail: training.LongTail = None,
    tests: Annotated[
        list[str] | None, typer.Option("--ood", help="Test sets that share nothing with the outliers; else all here.")
    ] = None,
    out: training.Out = None,
    changes: training.Changes = None,
    seed: training.Seed = None,
    data: options.Data = None,
    device: options.Device = "auto",
    devices: training.Devices = 1,
    nodes: training.Nodes = 1,
    threads: options.Threads = None,
    cache: options.Cache = True,
) -> None:
    """Fine-tune against auxiliary outliers: margins and class prior are measured, shown, and kept on the card.

    Defaults are the published ones of energy fine-tuning: 10 epochs, learning rate 0.001, batches of 128 and 256.
    Margins, unless given, are the 25th percentile of calibration energies and the 75th of held-out outliers'. Semantic
    energy pushes no outlier for 371 steps, or for a fifth of the run where that is less; batch norm sees them from the
    start. Stopped or killed, the same command goes on.
    """
    from oodcore.config import Experiment, overridden

    root = options.data_root(data)
    where = training.machine(device, threads, devices, nodes, root, cache)
    kept = training.tail_of(long_tail, checkpoint, id_name, root)
    name, about = _loss(loss)
    chosen = training.without_none(weight=weight, alpha=alpha, gamma=gamma, pull=pull, **_margins(margins))
    tables: dict[str, Any] = {
        "title": f"{about} from {training.called(checkpoint)}",
        "source": "own setting: ood finetune",
        "model": {"checkpoint": checkpoint},
        "data": {"inliers": id_name, "outliers": outliers}
        | training.without_none(long_tail=kept, not_tested=options.names(tests) or None),
        "loss": {"name": name, **chosen},
        "train": training.without_none(steps=steps, epochs=epochs, lr=lr, seed=seed),
    }
    experiment = _measuring(Experiment.from_json(overridden(tables, changes or ())))
    folder = training.run_folder(out, f"{training.called(checkpoint)}-{name.replace('_', '-')}", experiment.train.seed)
    result = training.carry_out(experiment, folder, where)
    if result is not None:
        remark(f"Next: ood fit {result} --id {id_name}")


def _loss(given: str) -> tuple[str, str]:
    """Registry name and title, of a loss that looks at outliers."""
    from oodcore.losses import losses

    name = given.replace("-", "_")
    about = losses[name].about
    if not about.outliers:
        raise OODError(f"'{given}' looks at no outliers. `ood train` trains without, `ood logit-adjust` after.")
    return name, about.title


def _measuring(experiment: "Experiment") -> "Experiment":
    """Margins that nobody gave come from the network's energies, and the scale of an alpha that nobody gave."""
    from oodcore.config import Margins, usual_margins

    usual = usual_margins(experiment.loss)
    if usual is None or experiment.gives_margins:
        return experiment
    rule = experiment.margins or Margins()
    if rule.alpha_gap is None and "alpha" not in experiment.loss_options:
        rule = replace(rule, alpha_gap=usual.alpha_gap)
    return replace(experiment, margins=rule)


def _margins(given: str | None) -> dict[str, float]:
    if given is None:
        return {}
    try:
        inside, outside = (float(part) for part in given.split(","))
    except ValueError:
        raise OODError(f"--margins takes two numbers, as -23,-5; got '{given}'.") from None
    return {"margin_in": inside, "margin_out": outside}
