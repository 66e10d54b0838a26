"""CSV that a spreadsheet opens, and of which it runs nothing."""

import csv
import io
from collections.abc import Iterable

__all__ = ["to_lines"]

FORMULAS = ("=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet may take for the beginning of a formula."""


def to_lines(rows: Iterable[Iterable[object]], /) -> str:
    """Lines of a CSV file, titles like all others. Text that would be a formula begins with an apostrophe."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([_plain(cell) for cell in row] for row in rows)
    return out.getvalue()


def _plain(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r\n", "\n").replace("\r", "\n")  # the writer quotes a bare return in no version before 3.13
    return f"'{text}" if text.startswith(FORMULAS) else text
