"""What stands behind a checkpoint argument: the network, its folder and its fitted panel."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from oodcore.cli.screen import remark
from oodcore.errors import CheckpointError

if TYPE_CHECKING:
    import torch

    from oodcore.models import Network
    from oodcore.panel import FittedPanel

PREFERRED = "cifar10"  # of the shipped checkpoints the one that knows something of photographs


class Opened(NamedTuple):
    """A loaded checkpoint."""

    name: str
    model: "Network"
    folder: Path | None
    """None where it is a file of weights, or a library's network."""
    panel: "FittedPanel | None"


def opened(source: str | None, device: "torch.device", root: Path | None = None) -> Opened:
    """Load; say on stderr what was assumed.

    Args:
        source: What `oodcore.load` takes; None for a shipped one.
        device: Where to put the network.
        root: The folder of `--data`; names of checkpoints are looked for in it too.

    Raises:
        CheckpointError: see `oodcore.load`.
    """
    from oodcore.checkpoint import load

    source = source or usual()
    model = load(source, root=root).to(device)
    folder = folder_behind(source, root)
    if folder is None:
        for note in model.notes:
            remark(note)
    elif model.transform.assumed:
        remark(
            f"The normalisation of {folder.name} was assumed on import (`ood checkpoints show {source}` tells it). "
            "If it was trained with another, import it again with --mean and --std."
        )
    return Opened(folder.name if folder else Path(source).stem, model, folder, _panel(folder))


def usual() -> str:
    """The checkpoint that is meant where none is named.

    Raises:
        CheckpointError: none is shipped.
    """
    from oodcore.checkpoint import shipped

    names = shipped()
    if not names:
        raise CheckpointError("No checkpoint is shipped with this installation. Name one with --checkpoint.")
    return next((name for name in names if name.startswith(PREFERRED)), names[0])


def folder_behind(source: str, root: Path | None = None) -> Path | None:
    """The checkpoint's folder, unless it is a file of weights or a library's network."""
    from oodcore.checkpoint import folder_of

    return None if Path(source).is_file() or ":" in source else folder_of(source, root)


def _panel(folder: Path | None) -> "FittedPanel | None":
    from oodcore.checkpoint import file_of
    from oodcore.checkpoint.layout import PANEL
    from oodcore.panel import Panel

    path = None if folder is None else file_of(folder, PANEL)
    return None if path is None else Panel.load(path)


def panel_of(source: str) -> "FittedPanel":
    """The fitted panel of a checkpoint, without its network.

    Raises:
        CheckpointError: it has none.
    """
    panel = _panel(folder_behind(source))
    if panel is None or not panel.calibrations:
        raise CheckpointError(f"'{source}' has no calibrated panel. `ood fit {source} --id NAME` fits one.")
    return panel
