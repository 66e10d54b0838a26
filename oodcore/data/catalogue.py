"""Names of image sets → images: what there is, whether it is here, and how to get it."""

from collections.abc import Callable
from pathlib import Path

from oodcore.data import coded_sets, drawn_sets, published_sets
from oodcore.data.arrays import image_npy, image_npz
from oodcore.data.calibration import split_calibration
from oodcore.data.download import fetch
from oodcore.data.entry import FULL_TRAIN, Entry
from oodcore.data.folders import image_folder, split_folders
from oodcore.data.images import ImageSet
from oodcore.data.lists import image_list
from oodcore.data.roots import Progress, cache_folder, find_root
from oodcore.errors import DataError, UnknownNameError
from oodcore.registry import did_you_mean

__all__ = ["comparable", "entries", "entry", "get", "open_path", "open_set"]


def entries() -> tuple[Entry, ...]:
    """Every set of the catalogue: the drawn ones, the published ones, the project's own archives."""
    return (*drawn_sets.ENTRIES, *published_sets.ENTRIES, *coded_sets.ENTRIES)


def entry(name: str) -> Entry:
    """What is known of a set.

    Raises:
        UnknownNameError: no set is called so; the sentence proposes one.
    """
    found = {known.name: known for known in entries()}
    if name in found:
        return found[name]
    if (drawn := drawn_sets.imbalanced(name)) is not None:
        return drawn
    raise UnknownNameError(did_you_mean("image set", name, list(found)))


def comparable(inside: Entry, root: Path | str | None = None) -> list[Entry]:
    """OOD test sets that are here and can be compared with an ID set: of its coding, drawn ones with drawn ones."""
    return [
        each
        for each in entries()
        if each.role in ("near", "far")
        and each.coding == inside.coding
        and bool(each.needs) == bool(inside.needs)
        and each.present(root)
    ]


def open_set(
    name: str | Path, split: str = "test", root: Path | str | None = None, progress: Progress | None = None
) -> ImageSet:
    """Images of a set of the catalogue, or of a user's own folder or file.

    Args:
        name: A name that `entries` lists, or a path: a folder, a tar archive, an image list (.txt), .npz or .npy.
        split: `"train"`, `"calibration"`, `"test"`, or what the entry's `splits` say. Calibration images are in
            neither of the other two; `"train+calibration"` is the whole published training part.
        root: Searched instead of `OOD_DATA`, before `./data` and the user's cache.
        progress: Called with (done, total) while an archive is decoded for the first time.

    Raises:
        DataError: not here (the sentence says how to get it), no such split, empty, or damaged.
        UnknownNameError: no such name, and no such path.
    """
    try:
        known = entry(str(name))
    except UnknownNameError:
        path = Path(name).expanduser()
        if path.exists() or isinstance(name, Path) or "/" in name or path.suffix:
            return open_path(path, split)
        raise
    return known.open(split, root, progress)


def open_path(path: Path, split: str = "test") -> ImageSet:
    """A user's own images.

    A folder or archive with `train/` and `test/` (or `val/`) inside can serve as ID; calibration is its
    `calibration/`, or a part of `train/`. Anything else is one set: `"test"`, or `"all"` where no test is meant.

    Raises:
        DataError: nothing there, nothing that can be read, or no such part.
    """
    kind = "".join(path.suffixes[-2:]).lower()
    if path.is_dir() or ".tar" in kind or kind.endswith(".tgz"):
        return _divided(path, split)
    if not path.exists():
        raise DataError(f"There is no file or folder '{path}'. Check the spelling.")
    if split not in ("test", "all"):
        raise DataError(f"'{path}' is one set without a {split} part. Give a folder with train/ and test/ in it.")
    readers: dict[str, Callable[[Path], ImageSet]] = {".npz": image_npz, ".npy": image_npy, ".txt": image_list}
    if path.suffix.lower() not in readers:
        raise DataError(f"'{path}' is no image set. Give a folder, a tar archive, an image list (.txt), .npz or .npy.")
    return readers[path.suffix.lower()](path)


def _divided(path: Path, split: str) -> ImageSet:
    parts = split_folders(path)
    if split == "all" or (split == "test" and not parts):
        return image_folder(path)
    if split == "test" and "test" not in parts:
        return image_folder(path, "val")
    if split in parts and (split != "train" or "calibration" in parts):
        return image_folder(path, split)
    train = image_folder(path, "train")
    if split == FULL_TRAIN:
        return train
    if split not in ("train", "calibration"):
        raise DataError(f"'{path}' has no part '{split}'; it has {', '.join(parts)}.")
    rest, calibration = split_calibration(train)
    return rest if split == "train" else calibration


def get(name: str, root: Path | str | None = None, progress: Progress | None = None) -> Path:
    """Bring a set onto this machine.

    Args:
        name: A name that `entries` lists.
        root: Where to put it; by default the user's cache.
        progress: Called with (bytes, bytes in all; 0 if unknown) for each file.

    Returns:
        The root that now holds it; sets that are already here, or drawn by code, are left alone.

    Raises:
        UnknownNameError: no set is called so.
        DataError: it has no public download (the sentence says where it is from), or the network fails.
    """
    known = entry(name)
    if (folder := find_root(known.needs, root)) is not None:
        return folder
    if not known.downloads:
        raise DataError(f"'{name}' cannot be downloaded. {known.how}")
    folder = Path(root).expanduser() if root else cache_folder() / "data"
    for download in known.downloads:
        fetch(download, folder, progress)
    return folder
