"""Fit a visitor's checkpoint: panel, thresholds, reference and measured numbers, so that every page can use it.

The order: `checkpoint`, a name that `oodcore.checkpoint.known` lists, or `library`, as "timm:NAME", which is fetched
first; `id`, an in-distribution set of the catalogue, or None where the weights are only to be fetched; `ood`, names of
test outliers; `rows` and `limit`, images to learn from and to look at; `owner`, hash of the token of who asks: a
checkpoint that somebody else brought is left alone, and a fetched network becomes theirs, unless it is here already,
fitted by somebody else.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from oodcore.errors import CheckpointError
from oodcore.jobs.folder import RunFolder
from oodcore.jobs.kinds import telling
from oodcore.jobs.run import Event

__all__ = ["work"]

STEPS = 3


def work(order: Mapping[str, Any], place: RunFolder, *, root: Path | None) -> Iterator[Event]:
    """Fetch, fit, put in place; what is done already is not done again."""
    from oodcore.checkpoint.own import fittable, publish

    yield Event("progress", 0, {"steps": STEPS, "message": "Reading the weights."})
    owner, result = str(order.get("owner", "")), place.path / "result"
    folder = _fetched(order, owner, place) if "library" in order else _named(str(order["checkpoint"]), root)
    if order.get("id") and not result.is_dir():
        if not fittable(folder, owner):
            raise CheckpointError(f"'{folder.name}' was brought by somebody else, who alone can fit it.")
        yield Event("progress", 1, {"steps": STEPS, "message": f"Fitting on {order['id']}."})
        _fit(folder, order, place, root)
    if result.is_dir():
        yield Event("progress", 2, {"steps": STEPS, "message": "Putting it in place."})
        publish(result, folder, owner_hash=owner)
    yield Event("finished", STEPS, {"steps": STEPS, "checkpoint": folder.name})


def _named(name: str, root: Path | None) -> Path:
    from oodcore.checkpoint import is_shipped, known

    folder = known(root).get(name)
    if folder is None:
        raise CheckpointError(f"'{name}' is no longer on this server. It may have been deleted.")
    if is_shipped(folder):
        raise CheckpointError(f"'{name}' ships with the app, fitted, and stays as it is.")
    return folder


def _fetched(order: Mapping[str, Any], owner: str, place: RunFolder) -> Path:
    """Room is asked for once: after a restart, what this order kept before may be what fills it."""
    from oodcore.checkpoint.own import examine, keep, require_room

    name, begun = str(order["library"]), place.path / "begun"
    if not begun.exists():
        require_room(owner)
        begun.touch()
    return keep(examine(name), owner_hash=owner, title=name, source=name)


def _fit(folder: Path, order: Mapping[str, Any], place: RunFolder, root: Path | None) -> None:
    """On a copy, so that pages see the checkpoint as it was until all is there."""
    from oodcore.evaluate import Work
    from oodcore.jobs.complete import complete

    part = place.path / "part"
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(folder, part)
    complete(
        part,
        id_set=str(order["id"]),
        ood_sets=[str(name) for name in order.get("ood", ())],
        bank_rows=int(order.get("rows", 2000)),
        limit=int(order.get("limit", 1000)),
        root=root,
        work=Work(cache=place.path / "passes", progress=telling(place)),
    )
    shutil.rmtree(place.path / "passes", ignore_errors=True)
    part.rename(place.path / "result")
