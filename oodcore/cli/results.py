"""What an evaluation hands over: tables on the screen, files on disk."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from oodcore.atomic import replacing
from oodcore.cli.opening import Opened
from oodcore.cli.screen import remark, show, show_json
from oodcore.errors import DataError

if TYPE_CHECKING:
    from rich.table import Table

    from oodcore.evaluate import Evaluation
    from oodcore.report import Report

USUAL = ("auroc", "aupr_ood_positive", "fpr95_ood_positive", "fpr95_id_positive")
STDOUT = "-"


class Result(NamedTuple):
    """One checkpoint's."""

    found: Opened
    id_set: str
    evaluation: "Evaluation"


def require_writable(files: Mapping[str, Path | None]) -> None:
    """Before hours of work, not after.

    Raises:
        DataError: a folder that is not there or cannot be written, or another ending.
    """
    for ending, path in files.items():
        if path is None or (ending == ".json" and str(path) == STDOUT):
            continue
        if path.suffix != ending:
            raise DataError(f"'{path}' would hold {ending[1:]}; give it the ending {ending}.")
        if path.is_dir() or not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK):
            raise DataError(f"'{path}' cannot be written. Name a file in a folder that exists and is yours.")


def hand_over(results: Sequence[Result], files: Mapping[str, Path | None], *, whole: bool) -> None:
    """Write the files that were asked for and print the tables, or only JSON."""
    report = joined(results)
    for path in (files[".csv"], files[".md"]):
        if path is not None:
            report.write(path)
    if (path := files[".json"]) is not None and str(path) == STDOUT:
        show_json(as_json(results))
        return
    if path is not None:
        _write(path, json.dumps(as_json(results), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    show(_networks(results), "", report.table(None if whole else USUAL))
    for note in report.notes():
        remark(note)


def joined(results: Sequence[Result]) -> "Report":
    """The rows of all checkpoints."""
    from oodcore.report import Report

    return sum((result.evaluation.report for result in results), Report())


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """A report as `Report.load` reads it, with what is known of each network beside the rows."""
    networks = [_described(result) for result in results]
    return {**json.loads(joined(results).json()), "networks": networks}


def _described(result: Result) -> dict[str, Any]:
    known = result.evaluation.closed_set
    return {
        "checkpoint": result.found.name,
        "architecture": result.found.model.architecture,
        "id_set": result.id_set,
        "preprocessing": result.found.model.transform.to_json(),
        "notes": list(result.found.model.notes),
        "closed_set": None if known is None else known._asdict(),
    }


def _networks(results: Sequence[Result]) -> "Table":
    from rich.table import Table

    table = Table("Checkpoint", "Architecture", "ID set", "Images", "Accuracy, %", "ECE, %")
    for result in results:
        known = result.evaluation.closed_set
        numbers = ("-", "-", "-") if known is None else (
            f"{known.n:,}", f"{100 * known.accuracy:.2f}", f"{100 * known.ece:.2f}"
        )  # fmt: skip
        table.add_row(result.found.name, result.found.model.architecture, result.id_set, *numbers)
    return table


def _write(path: Path, text: str) -> None:
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
