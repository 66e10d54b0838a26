"""Files, folders and patterns → the photos they mean."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from oodcore.errors import DataError

SUFFIXES = frozenset(
    ".avif .bmp .gif .jfif .jpe .jpeg .jpg .mpo .pbm .pgm .png .pnm .ppm .tif .tiff .webp".split()  # noqa: SIM905
)


def expand(arguments: Sequence[str]) -> tuple[list[Path], list[tuple[str, str]]]:
    """The photos in the order named, each once; and what could not be found, with a sentence.

    A named file is taken whatever its ending, so that a wrong one is told. A folder gives the files below it that
    look like photos. A pattern is expanded here for shells that do not.
    """
    found: dict[Path, None] = {}
    missing: list[tuple[str, str]] = []
    for argument in arguments:
        try:
            found.update(dict.fromkeys(_meant(argument)))
        except DataError as error:
            missing.append((argument, str(error)))
    return list(found), missing


def _meant(argument: str) -> Iterator[Path]:
    path = Path(argument)
    if path.is_dir():
        yield from _below(path)
    elif not path.exists() and glob.has_magic(argument):
        yield from _matching(argument)
    else:
        yield path


def _below(folder: Path) -> list[Path]:
    photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not photos:
        raise DataError(f"The folder '{folder}' holds no photos. Looked for endings such as .jpg, .png and .webp.")
    return photos


def _matching(pattern: str) -> list[Path]:
    paths = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207  the pattern may be absolute
    files = [path for path in paths if path.is_file()]
    if not files:
        raise DataError(f"No file matches '{pattern}'. Check the pattern, or name a folder.")
    return files
