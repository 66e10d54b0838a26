"""Options that several verbs share, worded once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oodcore.errors import OODError

if TYPE_CHECKING:
    import torch

Data = Annotated[
    Path | None, typer.Option("--data", help="Folder of image sets and checkpoints; else OOD_DATA, ./data, the cache.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, mps.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads; else what torch chooses.")]
Batch = Annotated[int, typer.Option("--batch-size", min=1, help="Images in one forward pass.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Accept = Annotated[float, typer.Option("--accept", help="Share of in-distribution images to accept, between 0 and 1.")]
Scorers = Annotated[
    list[str] | None, typer.Option("--scorers", help="Names, repeated or with commas; 'all' for everything.")
]

IdName = Annotated[
    str, typer.Option("--id", help="In-distribution set: a name of `ood data list`, or your own folder.")
]
Cache = Annotated[bool, typer.Option("--cache/--no-cache", help="Keep network outputs, keyed by their content.")]


def examples(*lines: str) -> str:
    """The end of a verb's help."""
    return "\n".join(["[bold]Examples[/bold]", *(f"  {line}" for line in lines)])


def names(values: list[str] | None) -> list[str]:
    """`["a,b", "c"]` and `["a", "b", "c"]` mean the same; order kept, repeats dropped."""
    parts = (part.strip() for value in values or [] for part in value.split(","))
    return list(dict.fromkeys(part for part in parts if part))


def data_root(data: Path | None) -> Path | None:
    """The folder of `--data`, if given.

    Raises:
        OODError: it is no folder.
    """
    if data is not None and not data.is_dir():
        raise OODError(f"--data {data} is no folder. Name the folder that holds the image sets.")
    return data


def checked_share(accept: float) -> float:
    """Between 0 and 1, ends excluded."""
    if not 0 < accept < 1:
        hint = f" Did you mean {accept / 100:g}?" if 1 < accept < 100 else ""
        raise OODError(f"--accept must lie between 0 and 1, as 0.95; got {accept:g}.{hint}")
    return accept


def prepare(device: str, threads: int | None) -> "torch.device":
    """The device that was asked for, after setting the number of threads.

    Raises:
        OODError: torch does not know it, or this machine has none.
    """
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    wanted = _best() if device == "auto" else device
    try:
        found = torch.device(wanted)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise OODError(f"--device {device} cannot be used here. Available: {', '.join(devices())}.") from error
    return found


def devices() -> list[str]:
    """What `--device` may be on this machine."""
    import torch

    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return ["cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]


def _best() -> str:
    return next((name for name in reversed(devices()) if name.startswith("mps")), devices()[min(1, len(devices()) - 1)])
