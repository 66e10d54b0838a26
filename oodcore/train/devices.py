"""Where training runs: one device, several, or several machines, in the precision of the recipe."""

import logging
import warnings

from lightning.fabric import Fabric

from oodcore.train.recipe import Recipe

__all__ = ["fabric_for"]


def fabric_for(recipe: Recipe, *, accelerator: str = "auto", devices: int = 1, nodes: int = 1) -> Fabric:
    """A Fabric that is launched where there are several processes.

    Args:
        recipe: Gives the precision.
        accelerator: "auto", "cpu", "cuda", "mps".
        devices: Processes per machine.
        nodes: Machines.
    """
    for name in ("lightning.fabric", "lightning.pytorch"):  # the latter, once imported, speaks for both
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice about other accelerators that are here
        fabric = Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes, precision=recipe.precision)
    if fabric.world_size > 1:
        fabric.launch()
    return fabric
