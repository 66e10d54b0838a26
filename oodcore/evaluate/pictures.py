"""Which images the rows of a reference are: found again where the set is at hand, and compared before they are shown.

A reference keeps outputs and no pictures. Its rows are a fixed choice by number, so the pictures can be drawn or read
again; that they are the right ones is checked with the network itself.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from jaxtyping import Int64
from torch import Tensor

from oodcore.checkpoint.reference import kept_rows
from oodcore.data import Entry, ImageSet, drop_excluded, entry
from oodcore.errors import DataError
from oodcore.evaluate.work import spread_rows
from oodcore.models import Network
from oodcore.models.collect import outputs_of
from oodcore.records import Bank

__all__ = ["HELD_OUT", "image_rows", "reference_images", "require_same", "verified_images"]

HELD_OUT = ("val", "calibration", "test")  # the first that an auxiliary set has is the one that is not trained on
COMPARED = 8
TOLERANCE = 0.05  # of the spread of the logits: half precision and other machines stay far below, other images do not


def image_rows(measured: int, images: int) -> Int64[Tensor, " rows"]:
    """Number of the image that each kept row is.

    Args:
        measured: Rows that the reference has energies of.
        images: Of the set. More than were measured means that these were evenly spread over it.
    """
    return spread_rows(images, measured)[kept_rows(measured)]


def reference_images(
    name: str, measured: int, auxiliary: Sequence[str] = (), *, part: str | None = None, root: Path | str | None = None
) -> ImageSet:
    """The images of a reference's kept rows, in the order of the rows.

    Args:
        name: Of the set, in the catalogue.
        measured: Rows that the reference has energies of.
        auxiliary: Sets of the same reference that networks are trained against: classes of test sets that name the
            same thing as one of theirs were left out.
        part: Of the set, by default the one that `oodcore.jobs.complete` measures.
        root: See `open_set`.

    Raises:
        UnknownNameError: a set that the catalogue does not know.
        DataError: it is not at hand, or has fewer images than were measured.
    """
    known = entry(name)
    images = known.open(part or parts(known)[0], root)
    for outliers in auxiliary:
        if outliers != name:
            images = drop_excluded(images, outliers, root)
    if len(images) < measured:
        raise Unlike(
            f"'{name}' has {len(images):,} images here, and {measured:,} were measured: it is not the same set."
        )
    return images.take(image_rows(measured, len(images)))


def verified_images(
    model: Network,
    name: str,
    bank: Bank,
    measured: int,
    auxiliary: Sequence[str] = (),
    root: Path | str | None = None,
) -> ImageSet:
    """The same, from whichever part of the set gives the network's numbers again.

    Raises:
        UnknownNameError: see `reference_images`.
        DataError: none does, or see `reference_images`.
    """
    for part in parts(entry(name)):
        with suppress(Unlike):
            images = reference_images(name, measured, auxiliary, part=part, root=root)
            require_same(model, images, bank)
            return images
    raise Unlike(f"The images of '{name}' here are not those that the checkpoint was measured with.")


def require_same(model: Network, images: ImageSet, bank: Bank) -> None:
    """A few of the images, spread over the rows, must give the logits that the reference keeps.

    Raises:
        DataError: they do not, so that pictures would stand beside numbers of other pictures.
    """
    rows = spread_rows(len(bank), COMPARED)
    batch = next(iter(images.take(rows).batches(COMPARED, model.transform)))
    found, kept = outputs_of(model, batch.images, norms=False).logits, bank.outputs.logits
    if len(images) != len(bank) or float((found - kept[rows]).abs().max()) > TOLERANCE * float(kept.std()):
        raise Unlike(f"The images of '{images.name}' here are not those that the checkpoint was measured with.")


def parts(known: Entry) -> list[str]:
    """Those that a reference may show: of auxiliary outliers first the one that is not trained on."""
    found = [part for part in (HELD_OUT if known.role == "auxiliary" else ("test",)) if part in known.splits]
    return found or list(known.splits)


class Unlike(DataError):  # noqa: N818
    """Other images than those that were measured."""
