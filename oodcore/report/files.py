"""Reports as files: written under another name first, so that nothing half-written ever stands."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from oodcore.atomic import replacing
from oodcore.checks import Finding
from oodcore.errors import DataError
from oodcore.metrics import Interval
from oodcore.report import columns
from oodcore.report.row import Convention, Row
from oodcore.report.sheets import to_lines

__all__ = ["read", "to_csv", "to_json", "write"]

FORMAT = "ood-explorer report 1"


def to_json(rows: Iterable[Row], /) -> str:
    """Full precision; intervals by name, so that a reader in any language knows the ends."""
    entries = []
    for row in rows:
        intervals = {name: interval._asdict() for name, interval in row.intervals.items()}
        entries.append({**asdict(row), "ood_share": row.ood_share, "intervals": intervals})
    return json.dumps({"format": FORMAT, "rows": entries}, indent=1) + "\n"


def to_csv(rows: Iterable[Row], /) -> str:
    """Columns in order of first appearance; empty where a row was taken under another convention."""
    lines = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for line in lines for name in line))
    return to_lines([names, *([line.get(name, "") for name in names] for line in lines)])


def write(path: Path, kinds: Mapping[str, Callable[[], str]], /) -> None:
    """Render by the path's ending and replace the file at once.

    Raises:
        DataError: another ending, or the file cannot be written.
    """
    if path.suffix not in kinds:
        raise DataError(f"A report is written as {', '.join(kinds)}; got '{path.name}'.")
    text = kinds[path.suffix]()
    try:
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"The report could not be written to {path}: {error.strerror}. Choose another place."
        ) from error


def read(path: Path, /) -> list[Row]:
    """Rows of a JSON report.

    Raises:
        DataError: no such file, or not a report.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise DataError(f"{path} is of format '{content['format']}'; this version reads '{FORMAT}'.")
        return [_row(entry) for entry in content["rows"]]
    except OSError as error:
        raise DataError(f"There is no readable report at {path}: {error.strerror}.") from error
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path} is not a report written as JSON. Write one with `ood evaluate … --json`.") from error


def _row(entry: dict[str, Any]) -> Row:
    return Row(
        checkpoint=str(entry["checkpoint"]),
        id_set=str(entry["id_set"]),
        ood_set=str(entry["ood_set"]),
        scorer=str(entry["scorer"]),
        n_id=int(entry["n_id"]),
        n_ood=int(entry["n_ood"]),
        values={name: float(value) for name, value in entry["values"].items()},
        convention=Convention(**entry["convention"]),
        intervals={name: Interval(**ends) for name, ends in entry["intervals"].items()},
        findings=tuple(Finding(**finding) for finding in entry["findings"]),
    )


def _flat(row: Row) -> dict[str, str | float | int | None]:
    line: dict[str, str | float | int | None] = {
        "checkpoint": row.checkpoint,
        "id_set": row.id_set,
        "ood_set": row.ood_set,
        "scorer": row.scorer,
        "n_id": row.n_id,
        "n_ood": row.n_ood,
        "ood_share": row.ood_share,
        **asdict(row.convention),
    }
    for name, value in row.values.items():
        column = columns.key(name, row.convention)
        line[column] = value
        if name in row.intervals:
            line[f"{column}_low"], line[f"{column}_high"] = row.intervals[name].low, row.intervals[name].high
    return {**line, "findings": " ".join(finding.code for finding in row.findings)}
