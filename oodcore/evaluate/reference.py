"""A few outputs of known sets, kept beside a checkpoint: what histograms and maps are drawn from without any data."""

from collections.abc import Mapping

from oodcore.data import ImageSet
from oodcore.evaluate.work import Work, bank_of, spread_rows
from oodcore.models import Network
from oodcore.records import Bank

__all__ = ["ROWS", "make_reference"]

ROWS = 1000


def make_reference(
    model: Network, sets: Mapping[str, ImageSet], work: Work | None = None, rows: int = ROWS
) -> dict[str, Bank]:
    """Outputs of at most `rows` images of each set, evenly spread, by the names given; for `checkpoint.save_reference`.

    Labels are -1 where a set's classes are not the network's.

    Raises:
        DataError: a set is empty.
        ScoreError: the network gives NaN or infinity.
    """
    work = work or Work()
    return {name: bank_of(model, images.take(spread_rows(len(images), rows)), work) for name, images in sets.items()}
