"""Every picture as a row, under every checkpoint: for the page and for the files that are taken home."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from app.services import decisions
from app.services.memory import Memory
from app.services.resources import Answer, Exhibit, Waiting, answers
from app.services.samples import Picture, Prepared, let_go_with, prepared
from app.services.spreadsheet import comma_separated

__all__ = ["Row", "Side", "Verdict", "decision", "export", "rows", "shown_columns"]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the checkpoints that are compared, and what it says of the pictures.

    Args:
        name: Short, as "baseline".
        answers: One per picture, in order.
    """

    name: str
    shown: Exhibit
    answers: Sequence[Answer]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one checkpoint makes of one picture.

    Args:
        label: The class that it answers with.
        p: Scorer → conformal p-value: how likely a known image is to look at least this unusual.
        flagged: Scorer → decision at the current acceptance.
    """

    answer: Answer
    label: str
    p: Mapping[str, float]
    flagged: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Row:
    """A picture and all that is known of it; the main checkpoint's verdict comes first."""

    picture: Picture
    view: Prepared
    verdicts: tuple[Verdict, ...]

    @property
    def main(self) -> Verdict:
        """The verdict that lists and lanes follow."""
        return self.verdicts[0]

    def differs(self, scorer: str) -> bool:
        """Whether the decision depends on the checkpoint."""
        return decisions.differ([verdict.flagged[scorer] for verdict in self.verdicts])


def rows(
    sides: Sequence[Side],
    pictures: Sequence[Picture],
    acceptance: float,
    names: Sequence[str] | None = None,
    waiting: Waiting = lambda ahead: None,
) -> list[Row]:
    """One row per picture, in order; pictures must have been prepared.

    Args:
        sides: The main checkpoint first.
        pictures: Those that the answers are of.
        acceptance: Share of known images to keep, 0..1.
        names: Scorers to decide with; None is all that a checkpoint has.
        waiting: Told whose turn it is, where a scorer needs passes that were not run yet.
    """
    found = [_decided(_complete(side, pictures, names, waiting), pictures, acceptance, names) for side in sides]
    return [
        Row(picture, view, tuple(verdicts[index] for verdicts in found))
        for index, picture in enumerate(pictures)
        if isinstance(view := prepared(picture, sides[0].shown.model.transform), Prepared)
    ]


def _complete(side: Side, pictures: Sequence[Picture], names: Sequence[str] | None, waiting: Waiting) -> Side:
    """With the scores that need passes of their own, where they are among the names."""
    wanted = side.shown.scorers if names is None else names
    return replace(side, answers=answers(side.shown, pictures, waiting, wanted))


def _decided(side: Side, pictures: Sequence[Picture], acceptance: float, names: Sequence[str] | None) -> list[Verdict]:
    """The same for whoever stands at this setting with these pictures."""
    ids = tuple((one.id, one.coding) for one in pictures)
    key = (side.shown.key, ids, acceptance, None if names is None else tuple(names))
    return _DECIDED.find(key, lambda: _verdicts(side, acceptance, names))


_DECIDED: Memory[tuple[Hashable, ...], list[Verdict]] = Memory(512)
let_go_with(_DECIDED)


def _verdicts(side: Side, acceptance: float, names: Sequence[str] | None) -> list[Verdict]:
    p: dict[str, list[float]] = {}
    flagged: dict[str, list[bool]] = {}
    for scorer in side.shown.scorers if names is None else names:
        if scorer in side.shown.scorers:
            scores = torch.tensor([answer.scores[scorer] for answer in side.answers], dtype=torch.float64)
            calibration = side.shown.calibration(scorer)
            p[scorer] = calibration.p_values(scores).tolist()
            flagged[scorer] = calibration.is_ood(scores, acceptance).tolist()
    return [
        Verdict(
            answer,
            side.shown.model.classes[answer.label],
            {scorer: values[index] for scorer, values in p.items()},
            {scorer: values[index] for scorer, values in flagged.items()},
        )
        for index, answer in enumerate(side.answers)
    ]


def shown_columns(
    found: Sequence[Row], sides: Sequence[str], scorer: str, names: Sequence[str]
) -> list[dict[str, Any]]:
    """What the page's table shows: the main checkpoint first, then what the others decide.

    Args:
        found: Rows in display order.
        sides: Short names of the checkpoints.
        scorer: Decides.
        names: Scorers that get a column, in order.
    """
    return [
        {
            "Seen": row.view.seen,
            "Picture": row.picture.name,
            "From": row.picture.group,
            "Answer": row.main.label,
            "Confidence": row.main.answer.confidence,
            **_decisions(row, sides, scorer),
            "p-value": row.main.p[scorer],
            **{name: row.main.answer.scores[name] for name in names},
        }
        for row in found
    ]


def _decisions(row: Row, sides: Sequence[str], scorer: str) -> dict[str, Any]:
    if len(sides) == 1:
        return {"Decision": decision(row.main, scorer)}
    words = {f"By {side}": decision(verdict, scorer) for side, verdict in zip(sides, row.verdicts, strict=True)}
    return {**words, "Differ": row.differs(scorer)}


def export(
    found: Sequence[Row], sides: Sequence[Side], scorer: str, acceptance: float, thresholds: Sequence[float]
) -> str:
    """CSV with a line for each picture and checkpoint, and with every scorer, not only the shown ones.

    Scores are higher for more out-of-distribution. A scorer that a checkpoint does not have is left empty.

    Args:
        found: From `rows` with all scorers.
        sides: The checkpoints.
        scorer: Decides.
        acceptance: Share of known images to keep, 0..1.
        thresholds: One per checkpoint.
    """
    lines = [(row, *each) for row in found for each in zip(sides, row.verdicts, thresholds, strict=True)]
    names = list(dict.fromkeys(name for side in sides for name in side.shown.scorers))
    return comma_separated(
        {
            "picture": [row.picture.name for row, *_ in lines],
            "from": [row.picture.group for row, *_ in lines],
            "sha256": [row.picture.id for row, *_ in lines],
            "checkpoint": [side.shown.name for _, side, _, _ in lines],
            "answer": [verdict.label for _, _, verdict, _ in lines],
            "confidence": [verdict.answer.confidence for _, _, verdict, _ in lines],
            "decision": [decision(verdict, scorer) for _, _, verdict, _ in lines],
            "checkpoints_differ": [row.differs(scorer) for row, *_ in lines],
            "scorer": [scorer] * len(lines),
            "id_acceptance": [acceptance] * len(lines),
            "threshold": [threshold for *_, threshold in lines],
            **{
                f"{kind}_{name}": [
                    (verdict.answer.scores if kind == "score" else verdict.p).get(name, "")
                    for _, _, verdict, _ in lines
                ]
                for name in names
                for kind in ("score", "p")
            },
        }
    )


def decision(verdict: Verdict, scorer: str) -> str:
    """In one word."""
    return "flagged" if verdict.flagged[scorer] else "kept"
