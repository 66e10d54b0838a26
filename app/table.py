"""Every picture as a row: for the table on the page and for the file that is taken home."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from app.resources import Answer, Exhibit
from app.samples import Picture, Prepared, prepared

__all__ = ["Row", "export", "rows", "shown_columns"]


@dataclass(frozen=True, slots=True)
class Row:
    """A picture and all that is known of it.

    Args:
        p: Scorer → conformal p-value: how likely a known image is to look at least this unusual.
        flagged: Scorer → decision at the current acceptance.
    """

    picture: Picture
    view: Prepared
    answer: Answer
    label: str
    p: Mapping[str, float]
    flagged: Mapping[str, bool]


def rows(shown: Exhibit, pictures: Sequence[Picture], answers: Sequence[Answer], acceptance: float) -> list[Row]:
    """One row per picture, in order; pictures must have been prepared."""
    p: dict[str, list[float]] = {}
    flagged: dict[str, list[bool]] = {}
    for scorer in shown.scorers:
        scores = torch.tensor([answer.scores[scorer] for answer in answers], dtype=torch.float64)
        calibration = shown.calibration(scorer)
        p[scorer] = calibration.p_values(scores).tolist()
        flagged[scorer] = calibration.is_ood(scores, acceptance).tolist()
    return [
        Row(
            picture,
            view,
            answer,
            shown.model.classes[answer.label],
            {scorer: values[index] for scorer, values in p.items()},
            {scorer: values[index] for scorer, values in flagged.items()},
        )
        for index, (picture, answer) in enumerate(zip(pictures, answers, strict=True))
        if isinstance(view := prepared(picture, shown.model.transform), Prepared)
    ]


def shown_columns(found: Sequence[Row], scorer: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """What the page's table shows: the deciding scorer first, then the other chosen ones.

    Args:
        found: Rows in display order.
        scorer: Decides.
        names: Scorers that get a column, in order.
    """
    return [
        {
            "Seen": row.view.seen,
            "Picture": row.picture.name,
            "From": row.picture.group,
            "Answer": row.label,
            "Confidence": row.answer.confidence,
            "Decision": decision(row, scorer),
            "p-value": row.p[scorer],
            **{name: row.answer.scores[name] for name in names},
        }
        for row in found
    ]


def export(found: Sequence[Row], scorer: str, acceptance: float, threshold: float) -> str:
    """CSV with every scorer, not only the shown ones. Scores are higher for more out-of-distribution."""
    names = list(found[0].answer.scores) if found else []
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ["picture", "from", "sha256", "answer", "confidence", "decision", "scorer", "id_acceptance", "threshold"]
        + [f"{kind}_{name}" for name in names for kind in ("score", "p")]
    )
    for row in found:
        writer.writerow(
            [_cell(row.picture.name), row.picture.group, row.picture.id, row.label, row.answer.confidence]
            + [decision(row, scorer), scorer, acceptance, threshold]
            + [value for name in names for value in (row.answer.scores[name], row.p[name])]
        )
    return file.getvalue()


def decision(row: Row, scorer: str) -> str:
    """In one word."""
    return "flagged" if row.flagged[scorer] else "kept"


def _cell(name: str) -> str:
    """A file name that a spreadsheet would take for a formula is made plain text."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name
