"""Names of image sets on the command line → images."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from oodcore.cli.screen import Tell, remark
from oodcore.errors import DataError

if TYPE_CHECKING:
    from oodcore.data import ImageSet


def read(name: str, split: str, root: Path | None, tell: Tell, limit: int | None = None) -> "ImageSet":
    """The images of one split, or `limit` of them, evenly spread."""
    from oodcore.data.catalogue import open_set

    return some(open_set(name, split, root, partial(tell, f"Reading {name} {split}")), limit)


def some(images: "ImageSet", limit: int | None) -> "ImageSet":
    """At most so many of them, evenly spread."""
    from oodcore.evaluate.work import spread_rows

    return images if limit is None else images.take(spread_rows(len(images), limit))


def outliers(wanted: Sequence[str], id_name: str, root: Path | None) -> list[str]:
    """The OOD sets that are meant; `all`, or none named, takes what is here and comparable.

    Comparable are near and far sets of the ID set's own coding, drawn ones with drawn ones.

    Raises:
        DataError: nothing comparable is here.
    """
    if wanted and "all" not in wanted:
        return list(wanted)
    from oodcore.data.catalogue import comparable, entries

    known = {each.name: each for each in entries()}
    if id_name not in known:
        raise DataError(f"'{id_name}' is not in the catalogue, so its OOD sets must be named: --ood NAME,NAME,…")
    found = [each.name for each in comparable(known[id_name], root)]
    if not found:
        raise DataError(
            f"No OOD set that can be compared with '{id_name}' is here. `ood data list` shows what there is."
        )
    return found


def whole_training(name: str) -> str:
    """The split that holds every image that a network may have been trained on."""
    from oodcore.data.catalogue import entry
    from oodcore.data.entry import FULL_TRAIN
    from oodcore.data.folders import split_folders
    from oodcore.errors import UnknownNameError

    try:
        return FULL_TRAIN if FULL_TRAIN in entry(name).splits else "train"
    except UnknownNameError:
        path = Path(name).expanduser()
        return FULL_TRAIN if path.is_dir() and "train" in split_folders(path) else "all"


def without_known(tests: list["ImageSet"], auxiliary: Sequence[str], root: Path | None) -> list["ImageSet"]:
    """The test sets without classes that a training set of outliers is known to show under another name."""
    from oodcore.data.disjoint import drop_excluded

    for name in auxiliary:
        kept = [drop_excluded(images, name, root) for images in tests]
        for before, after in zip(tests, kept, strict=True):
            if len(after) < len(before):
                remark(
                    f"{len(before) - len(after)} images of '{before.name}' are left out: '{name}' was trained on such."
                )
        tests = kept
    return tests
