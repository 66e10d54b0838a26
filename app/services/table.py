"""Every picture as a row: for the table on the page and for the file that is taken home."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from app.services.resources import Answer, Exhibit
from app.services.samples import Picture, Prepared, prepared
from app.services.spreadsheet import comma_separated

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
    return comma_separated(
        {
            "picture": [row.picture.name for row in found],
            "from": [row.picture.group for row in found],
            "sha256": [row.picture.id for row in found],
            "answer": [row.label for row in found],
            "confidence": [row.answer.confidence for row in found],
            "decision": [decision(row, scorer) for row in found],
            "scorer": [scorer] * len(found),
            "id_acceptance": [acceptance] * len(found),
            "threshold": [threshold] * len(found),
            **{
                f"{kind}_{name}": [row.answer.scores[name] if kind == "score" else row.p[name] for row in found]
                for name in names
                for kind in ("score", "p")
            },
        }
    )


def decision(row: Row, scorer: str) -> str:
    """In one word."""
    return "flagged" if row.flagged[scorer] else "kept"
