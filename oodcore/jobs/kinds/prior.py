"""Count a set of outliers by the class that a network takes each for; the result is one census."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from oodcore.checkpoint.layout import OUTLIERS
from oodcore.errors import CheckpointError, DataError
from oodcore.jobs.folder import RunFolder
from oodcore.jobs.run import Event

__all__ = ["order_for", "result_of", "work"]

BATCH = 64  # images between two looks whether somebody wants it to stop
EVERY = 1.0  # seconds between two counts that are written down, at first; later ones lie a hundredth of the time apart


def order_for(checkpoint: Path | str, weights: str, outliers: str, split: str) -> dict[str, str]:
    """What is asked for.

    Args:
        checkpoint: Its folder, or the name of a shipped one.
        weights: Their hash, so that the answer holds for these and no others.
        outliers: A name of the catalogue.
        split: Its part.
    """
    return {"checkpoint": str(checkpoint), "weights": weights, "outliers": outliers, "split": split}


def result_of(folder: Path, outliers: str) -> Any:
    """The census that a finished job has left in its `result` folder.

    Raises:
        CheckpointError: it is not there, or damaged.
    """
    from oodcore.evaluate.census import read_censuses

    try:
        return read_censuses(folder / OUTLIERS)[outliers]
    except KeyError:
        raise CheckpointError(f"'{folder}' holds no census of '{outliers}'. Count the outliers again.") from None


def work(order: Mapping[str, Any], place: RunFolder, *, root: Path | None) -> Iterator[Event]:
    """A batch at a time; now and then with the counts so far.

    Raises:
        CheckpointError: the weights are not those that were asked for.
        DataError: the set is not here, or the order is incomplete.
        ScoreError: the network gives NaN or infinity.
    """
    from oodcore.checkpoint import load
    from oodcore.data import open_set
    from oodcore.evaluate.census import counting, save_censuses
    from oodcore.jobs.kinds import telling
    from oodcore.models.fingerprint import weights_hash

    if missing := {"checkpoint", "weights", "outliers", "split"} - order.keys():
        raise DataError(f"The order does not say which {', '.join(sorted(missing))}. Order it again.")
    name, split, tell = order["outliers"], order["split"], telling(place)
    model = load(order["checkpoint"], root=root)
    if weights_hash(model) != order["weights"]:
        raise CheckpointError("The checkpoint was changed after this was ordered. Order it again.")
    images = open_set(name, split, root, lambda done, total: tell(f"Reading {name}", done, total))
    total = len(images)
    yield Event("prepared", 0, {"steps": total})
    began = told = time.monotonic()
    steps = counting(model, images, split, batch_size=BATCH)
    while True:
        try:
            counts = next(steps)
        except StopIteration as end:
            census = end.value
            break
        done, now = int(counts.sum()), time.monotonic()
        about = {"steps": total, "message": f"about {(now - began) / done * (total - done):.0f} s left"}
        if now - told >= max(EVERY, (now - began) / 100):
            told = now
            yield Event("counted", done, {**about, "counts": counts.tolist()})
        else:
            yield Event("progress", done, about)
    save_censuses(place.path / "result" / OUTLIERS, {name: census})
    yield Event("finished", total, {"steps": total, "counts": census.counts.tolist()})
