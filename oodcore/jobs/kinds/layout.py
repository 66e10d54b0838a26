"""Lay out a checkpoint's reference by UMAP; the result is one `layout.safetensors`.

The order: see `order_for`. UMAP compiles itself for half a minute, which is why it is a job and never done by a server.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from oodcore.checkpoint.layout import LAYOUT
from oodcore.errors import CheckpointError, DataError
from oodcore.jobs.folder import RunFolder
from oodcore.jobs.run import Event

__all__ = ["order_for", "result_of", "work"]


def order_for(folder: Path, reference: str, seed: int, neighbours: int, min_dist: float) -> dict[str, Any]:
    """What is asked for.

    Args:
        folder: Of the checkpoint.
        reference: sha256 of its reference, so that the answer holds for this one and no other.
        seed: See `oodcore.maps.Settings`, as for the rest.
        neighbours: As there.
        min_dist: As there.

    Raises:
        DataError: a number out of its range.
    """
    from oodcore.maps import Settings

    Settings(seed, neighbours, min_dist)
    about = {"checkpoint": str(folder), "reference": reference}
    return {**about, "seed": seed, "neighbours": neighbours, "min_dist": min_dist}


def result_of(folder: Path) -> Any:
    """The layout that a finished job has left in its `result` folder.

    Raises:
        CheckpointError: it is not there, or damaged.
    """
    from oodcore.maps import read_layout

    return read_layout(folder / LAYOUT)


def work(order: Mapping[str, Any], place: RunFolder, *, root: Path | None) -> Iterator[Event]:
    """One space after the other.

    Raises:
        CheckpointError: the reference is not the one that was asked for.
        DataError: UMAP is not installed, or the order is incomplete.
    """
    from oodcore.evaluate.atlas import making_layout, reference_digest
    from oodcore.maps import Settings, write_layout

    if missing := {"checkpoint", "reference", "seed", "neighbours", "min_dist"} - order.keys():
        raise DataError(f"The order does not say which {', '.join(sorted(missing))}. Order it again.")
    settings = Settings(int(order["seed"]), int(order["neighbours"]), float(order["min_dist"]))
    if reference_digest(order["checkpoint"]) != order["reference"]:
        raise CheckpointError("The checkpoint was changed after this map was ordered. Order it again.")
    making = making_layout(order["checkpoint"], settings)
    while True:
        try:
            done, steps, words = next(making)
        except StopIteration as end:
            layout = end.value
            break
        yield Event("progress", done, {"steps": steps, "message": words})
    write_layout(place.path / "result" / LAYOUT, layout)
    yield Event("finished", len(layout.xy), {"steps": len(layout.xy)})
