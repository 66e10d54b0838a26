"""`ood train`: one experiment, from a recipe or a file, in a folder that can be resumed."""

from typing import Annotated

import typer

from oodcore.cli import options, training
from oodcore.cli.screen import remark

EXAMPLES = options.examples(
    "ood recipes",
    "ood train shapes-resnet20w4",
    "ood train cifar10-resnet20-energy --seed 2 --set model.checkpoint=runs/cifar10-resnet20-0/checkpoint",
    "ood train mine.toml --out runs/mine --set train.lr=0.05 --set train.epochs=20",
    "ood train cifar10-wrn-40-2 --devices 8 --nodes 2 --set train.precision=bf16-mixed",
)


def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE|FILE.toml", help="A name of `ood recipes`, or a file.")],
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
    """Train a network. The folder holds recipe, events and state: killed or stopped, the same command goes on.

    The result, a checkpoint, lies in it. Validation looks at calibration images and held-out auxiliary outliers, never
    at a test set.
    """
    from oodcore.config import read_experiment, with_seed

    where = training.machine(device, threads, devices, nodes, options.data_root(data), cache)
    experiment = read_experiment(recipe, changes or ())
    if seed is not None:
        experiment = with_seed(experiment, seed)
    checkpoint = training.carry_out(
        experiment, training.run_folder(out, training.called(recipe), experiment.train.seed), where
    )
    if checkpoint is not None:
        remark(f"Next: ood fit {checkpoint} --id {experiment.data.inliers}")
