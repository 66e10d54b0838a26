"""`ood cancel`: a run that goes on elsewhere stops after its present step."""

from pathlib import Path
from typing import Annotated

import typer

from oodcore.cli import options
from oodcore.cli.screen import show
from oodcore.errors import OODError

EXAMPLES = options.examples("ood cancel runs/cifar10-resnet20-energy-0")


def cancel(folder: Annotated[Path, typer.Argument(help="The folder of the run.")]) -> None:
    """Ask a run to stop. It keeps its state; starting it again with the same command goes on from there."""
    from oodcore.jobs.folder import RunFolder

    place = RunFolder(folder)
    status = place.standing
    if not place.live:
        how = f"the last one was {status.state} at step {status.step:,}" if status else "there never was one"
        raise OODError(f"No run is going on in '{folder}': {how}.")
    place.cancel()
    show(f"The run in '{folder}' stops after its present step.")
