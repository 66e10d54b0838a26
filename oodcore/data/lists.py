"""Image lists of OpenOOD (`path label`) and SC-OOD (`path {"sc_label": …}`); label -1 is out-of-distribution.

Formats: github.com/Jingkang50/ICCV21_SCOOD at 526a412, scood/data/imagename_dataset.py; OpenOOD's lists are the same
with a bare number. SC-OOD relabels images of an OOD file that show an ID class: those count as ID (label ≥ 0).
"""

import ast
import re
from pathlib import Path

import torch

from oodcore.data.files import FileSet, Piece
from oodcore.data.images import Role
from oodcore.data.transforms import Coding
from oodcore.errors import DataError

__all__ = ["image_list"]

_LINE = re.compile(r"(?P<path>\S.*?)\s+(?P<label>-?\d+|\{.*\})\s*$")
_FOLDERS = ("", "images", "images_classic", "images_largescale")


def image_list(
    path: Path,
    images: Path | None = None,
    *,
    classes: tuple[str, ...] = (),
    name: str | None = None,
    role: Role = "own",
    coding: Coding = "lossless",
) -> FileSet:
    """Pictures that a text file lists, one per line, with their labels.

    Args:
        path: The list.
        images: Folder that the paths in it start from. By default the list's folder and its parents are tried,
            with `images`, `images_classic` and `images_largescale` in each.
        classes: Names of the ID classes; numbers where they are not given.
        name: What it is called; by default the file's name.
        role: See `Role`.
        coding: The coding that the pictures have at the network's own size.

    Raises:
        DataError: no such file, a line that cannot be read (its number is told), or pictures that are not there.
    """
    if not path.is_file():
        raise DataError(f"There is no image list '{path}'. Check the spelling.")
    lines = [(number, line) for number, line in enumerate(_text(path).splitlines(), 1) if line.strip()]
    if not lines:
        raise DataError(f"The image list '{path}' is empty.")
    keys, labels = zip(*(_read_line(line, number, path) for number, line in lines), strict=True)
    names = classes or tuple(str(number) for number in range(max(labels) + 1))
    if max(labels) >= len(names):
        raise DataError(f"'{path}' has label {max(labels)}, but only {len(names)} class names were given.")
    folder = _folder(path, images, keys[0])
    pieces = [Piece(folder / key) for key in keys]
    if missing := [piece.path for piece in pieces if not piece.path.is_file()]:
        raise DataError(
            f"{len(missing)} of {len(pieces)} pictures in '{path}' are missing, the first is '{missing[0]}'."
        )
    return FileSet(pieces, torch.tensor(labels), tuple(keys), name or path.stem, role, names, coding)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise DataError(f"'{path}' is not a readable text file.") from None


def _read_line(line: str, number: int, path: Path) -> tuple[str, int]:
    wrong = DataError(
        f"Line {number} of '{path}' must be 'PATH LABEL' or 'PATH {{\"sc_label\": LABEL}}'; got '{line}'."
    )
    if not (match := _LINE.match(line)):
        raise wrong
    try:
        label = ast.literal_eval(match["label"])
        label = label.get("sc_label", label.get("label")) if isinstance(label, dict) else label
    except (ValueError, SyntaxError):
        raise wrong from None
    if not isinstance(label, int):
        raise wrong
    return match["path"], max(label, -1)


def _folder(path: Path, images: Path | None, first: str) -> Path:
    if images is not None:
        return images
    near = [path.resolve().parent, *path.resolve().parents[1:4]]
    found = (above / below for above in near for below in _FOLDERS if (above / below / first).is_file())
    if (folder := next(found, None)) is None:
        raise DataError(f"The pictures of '{path}' were not found near it ('{first}'). Name their folder.")
    return folder
