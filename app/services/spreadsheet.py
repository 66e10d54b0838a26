"""Tables as files that a spreadsheet opens."""

from collections.abc import Mapping, Sequence

from oodcore.report.sheets import to_lines

__all__ = ["comma_separated"]


def comma_separated(columns: Mapping[str, Sequence[object]]) -> str:
    """A CSV file with one line of titles. Text that a spreadsheet would take for a formula is made plain.

    Args:
        columns: Title → values, all of one length.
    """
    return to_lines([columns, *zip(*columns.values(), strict=True)])
