"""Tables as files that a spreadsheet opens."""

import csv
import io
from collections.abc import Mapping, Sequence

__all__ = ["comma_separated"]


def comma_separated(columns: Mapping[str, Sequence[object]]) -> str:
    """A CSV file with one line of titles. Text that a spreadsheet would take for a formula is made plain.

    Args:
        columns: Title → values, all of one length.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in zip(*columns.values(), strict=True))
    return file.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
