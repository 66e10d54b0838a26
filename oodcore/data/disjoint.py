"""What may be compared with what: no test image among the training outliers, and one image coding on both sides."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeVar

import torch

from oodcore.data.images import ImageSet
from oodcore.data.roots import find_root
from oodcore.data.transforms import Preprocessing
from oodcore.errors import DataError

__all__ = ["check_codings", "check_disjoint", "drop_excluded", "strict_exclusions"]

STRICT_FILE: Final = "strict_exclude.json"
STRICT_AUXILIARY: Final = "tin-aux50"

S = TypeVar("S", bound=ImageSet)


def check_codings(sets: Sequence[ImageSet], preprocessing: Preprocessing | None = None) -> None:
    """Compression is a cue: sets in one comparison must reach the network with the same coding.

    Args:
        sets: ID and OOD sets of one comparison.
        preprocessing: The checkpoint's. One that codes its input brings lossless sets to the same coding.

    Raises:
        DataError: JPEG-coded and lossless sets would be compared; the sentence names one of each.
    """
    codes_itself = preprocessing is not None and preprocessing.coding != "lossless"
    first = {images.coding: images.name for images in reversed(sets)}
    if len(first) > 1 and not codes_itself:
        raise DataError(
            f"'{first['jpeg75']}' is JPEG-coded and '{first['lossless']}' is lossless, and compression alone would "
            "tell them apart. Take sets of one coding, or a checkpoint whose preprocessing codes its input."
        )


def check_disjoint(
    auxiliary: ImageSet,
    tests: ImageSet | Sequence[ImageSet],
    preprocessing: Preprocessing | None = None,
) -> None:
    """No test image may be among the auxiliary outliers, and no test class may name the same thing as one of theirs.

    Args:
        auxiliary: Outliers that a network is trained with.
        tests: OOD sets that it is tested on.
        preprocessing: Compares what the network sees; without it, images at their own size.

    Raises:
        DataError: shared images, or classes that the auxiliary set excludes; the sentence names some.
    """
    tests = [tests] if isinstance(tests, ImageSet) else tests
    known = dict(zip(_looks(auxiliary, preprocessing), auxiliary.keys, strict=True))
    for test in tests:
        _refuse_excluded(auxiliary, test)
        looks = _looks(test, preprocessing)
        shared = [f"{key} = {known[look]}" for look, key in zip(looks, test.keys, strict=True) if look in known]
        if shared:
            raise DataError(
                f"{len(shared)} images of '{test.name}' are also among the training outliers '{auxiliary.name}' "
                f"({', '.join(shared[:3])}{', …' if len(shared) > 3 else ''}). Remove them from one of the two."
            )


def strict_exclusions(auxiliary: str, root: Path | str | None = None) -> dict[str, tuple[str, ...]]:
    """Classes of test sets that name the same thing as a class of the auxiliary set, by the test set's name.

    Args:
        auxiliary: Name of the auxiliary set; only `tin-aux50` has such a list.
        root: Where to look for the list; see `roots`.

    Raises:
        DataError: there is no list for `tin-aux50`, or it cannot be read.
    """
    if auxiliary != STRICT_AUXILIARY:
        return {}
    if (folder := find_root((STRICT_FILE,), root)) is None:
        raise DataError(f"'{auxiliary}' needs {STRICT_FILE} beside it, which lists the test classes to leave out.")
    try:
        listed = json.loads((folder / STRICT_FILE).read_text())
        found = {key.replace("_", "-"): tuple(names) for key, names in listed.items() if key != "why"}
    except (OSError, ValueError, AttributeError, TypeError):
        raise DataError(f"'{folder / STRICT_FILE}' is no readable list of classes by set. Get it again.") from None
    return found | {f"{name}-clean": names for name, names in found.items()}


def drop_excluded(test: S, auxiliary: str, root: Path | str | None = None) -> S:
    """The test set without the classes that the auxiliary set was trained on under another name."""
    listed = strict_exclusions(auxiliary, root).get(test.name, ())
    return test.keep([name for name in test.classes if name not in listed]) if listed else test


def _refuse_excluded(auxiliary: ImageSet, test: ImageSet) -> None:
    listed = auxiliary.excludes.get(test.name, ())
    numbers = [number for number, name in enumerate(test.classes) if name in listed]
    rows = torch.isin(test.labels.cpu(), torch.tensor(numbers, dtype=torch.int64))
    if int(rows.sum()):
        names = sorted({test.classes[label] for label in test.labels.cpu()[rows].tolist()})
        raise DataError(
            f"{int(rows.sum())} images of '{test.name}' show what '{auxiliary.name}' trains on under another name "
            f"({', '.join(names[:3])}{', …' if len(names) > 3 else ''}). Drop those classes with drop_excluded."
        )


def _looks(images: ImageSet, preprocessing: Preprocessing | None) -> tuple[str, ...]:
    return images.fingerprints if preprocessing is None else images.seen(preprocessing)
