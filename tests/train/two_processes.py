"""Two steps on two processes: `python two_processes.py FOLDER`; each writes its weights and terms there."""

import sys
from pathlib import Path

import torch
from lightning.fabric import Fabric

from oodcore.data.procedural import procedural
from oodcore.losses import Objective
from oodcore.losses.balanced_energy import BalancedEnergy
from oodcore.losses.energy import Energy
from oodcore.losses.semantic_energy import SemanticEnergy
from oodcore.models import Network, build
from oodcore.records import Bank, Outputs
from oodcore.train.loop import Step, Training
from oodcore.train.recipe import Recipe

COUNTS = torch.tensor([50, 30, 20, 10, 5, 5, 3, 2, 1, 1])
NAMES = ("energy", "balanced_energy", "semantic_energy")
RECIPE = Recipe(steps=2, batch=8, outlier_batch=4, lr=0.05, lr_end=1e-4, pad=2, seed=3, batch_norm="frozen")

Found = dict[str, tuple[torch.Tensor, list[dict[str, float]]]]
"""Loss → weights after the last step, and terms and activity of every step."""


def start(name: str) -> tuple[Network, Objective]:
    """The same network and objective each time."""
    torch.manual_seed(5)
    model = build("resnet-8-w4", 10)
    if name == "energy":
        return model, Energy(0.1, -4.0, -2.0).fit()
    if name == "balanced_energy":
        return model, BalancedEnergy(0.1, -4.0, -2.0, 3.0).fit(COUNTS)
    features = torch.randn(40, model.head.weight.shape[1])
    bank = Bank(Outputs(torch.randn(40, 10), features), torch.arange(40) % 10, model.head)
    return model, SemanticEnergy(0.1, -4.0, -2.0, width=6, warm_up=1).fit(bank)


def learned(fabric: Fabric) -> Found:
    """What two steps make of each."""
    inliers, outliers = procedural("shapes", "train", count=30), procedural("shapes-aux", "train", count=9)
    found = {}
    for name in NAMES:
        model, objective = start(name)
        training = Training(model, objective, inliers, outliers, RECIPE, fabric)
        told = [told_of(step) for step in training]
        values = [value.detach().flatten() for value in training.joint.parameters()]
        found[name] = torch.cat(values), told
    return found


def told_of(step: Step) -> dict[str, float]:
    """Its numbers."""
    active = {f"{name} active": float(value) for name, value in step.activity.items()}
    return {name: float(value) for name, value in step.terms.items()} | active


def main() -> None:
    fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp", precision="64-true")
    fabric.launch()
    torch.save(learned(fabric), Path(sys.argv[1]) / f"learned {fabric.global_rank}")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
