"""Two steps on two processes: `python two_processes.py FOLDER`; each writes its weights there."""

import sys
from pathlib import Path

import torch
from lightning.fabric import Fabric

from oodcore.data.procedural import procedural
from oodcore.losses.balanced_energy import BalancedEnergy
from oodcore.losses.energy import Energy
from oodcore.models import build
from oodcore.train.loop import Training
from oodcore.train.recipe import Recipe

COUNTS = torch.tensor([50, 30, 20, 10, 5, 5, 3, 2, 1, 1])


def main() -> None:
    fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp", precision="64-true")
    fabric.launch()
    inliers, outliers = procedural("shapes", "train", count=30), procedural("shapes-aux", "train", count=9)
    recipe = Recipe(steps=2, batch=8, outlier_batch=4, lr=0.05, lr_end=1e-4, pad=2, seed=3, batch_norm="frozen")
    balanced = BalancedEnergy(0.1, -4.0, -2.0, 3.0).fit(COUNTS)
    found = {}
    for name, objective in (("energy", Energy(0.1, -4.0, -2.0).fit()), ("balanced_energy", balanced)):
        torch.manual_seed(5)
        model = build("resnet-8-w4", 10)
        list(Training(model, objective, inliers, outliers, recipe, fabric))
        found[name] = torch.cat([value.detach().flatten() for value in model.parameters()])
    torch.save(found, Path(sys.argv[1]) / f"weights {fabric.global_rank}")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
