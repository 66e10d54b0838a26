"""Tables as files that a spreadsheet opens."""

from collections.abc import Mapping, Sequence

from oodcore.report.sheets import to_lines

__all__ = ["comma_separated", "stacked"]


def comma_separated(columns: Mapping[str, Sequence[object]]) -> str:
    """A CSV file with one line of titles. Text that a spreadsheet would take for a formula is made plain.

    Args:
        columns: Title → values, all of one length.
    """
    return to_lines([columns, *zip(*columns.values(), strict=True)])


def stacked(parts: Mapping[str, Mapping[str, Sequence[object]]]) -> dict[str, list[object]]:
    """Several tables below each other: `part` says which one a line is of, and what that one lacks stays empty.

    Args:
        parts: Name → title → values, all of one length within a part.
    """
    titles = list(dict.fromkeys(title for part in parts.values() for title in part))
    lengths = {name: len(next(iter(part.values()), ())) for name, part in parts.items()}
    found: dict[str, list[object]] = {"part": [name for name, length in lengths.items() for _ in range(length)]}
    return found | {
        title: [value for name, part in parts.items() for value in part.get(title, [None] * lengths[name])]
        for title in titles
    }
