"""Where training runs: one device, several, or several machines, in the precision of the recipe."""

import logging
import warnings
from typing import TYPE_CHECKING, Any

from oodcore.errors import DataError
from oodcore.train.recipe import Recipe

if TYPE_CHECKING:
    from lightning.fabric import Fabric
else:
    Fabric = Any  # the import takes seconds, and a page that only looks at runs never trains

__all__ = ["fabric_for"]


def fabric_for(recipe: Recipe, *, accelerator: str = "auto", devices: int = 1, nodes: int = 1) -> Fabric:
    """A Fabric that is launched where there are several processes.

    Args:
        recipe: Gives the precision.
        accelerator: "auto", "cpu", "cuda", "mps".
        devices: Processes per machine; the program's own command line is started once more for each further one.
        nodes: Machines.

    Raises:
        DataError: no such device here, fewer of them than asked for, or a precision that it does not have.
    """
    from lightning.fabric import Fabric
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    if devices < 1 or nodes < 1:
        raise DataError(f"Training takes at least one device on one machine; got {devices} on {nodes}.")
    for name in ("lightning.fabric", "lightning.pytorch"):  # the latter, once imported, speaks for both
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice about other accelerators that are here
        try:
            fabric = Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes, precision=recipe.precision)
        except (MisconfigurationException, RuntimeError, ValueError) as error:
            raise DataError(f"Training cannot use {devices} of '{accelerator}' here: {error}") from None
    if recipe.precision == "16-mixed" and fabric.device.type == "cpu":
        raise DataError("A CPU has no float16 training. Set precision to 'bf16-mixed' or '32-true'.")
    if fabric.world_size > 1:
        fabric.launch()
    return fabric
