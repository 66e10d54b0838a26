"""One checkpoint, one ID test set and OOD test sets → a report, with accuracy and doubts beside the scores."""

from collections.abc import Generator, Sequence
from typing import NamedTuple

from jaxtyping import Float64
from torch import Tensor

from oodcore.checks import Finding, small_bank, trained_classes, unsure_preprocessing
from oodcore.data import ImageSet
from oodcore.data.disjoint import check_codings, check_disjoint
from oodcore.errors import DataError
from oodcore.evaluate.work import Scores, Work, scores_of
from oodcore.metrics import accuracy, ece
from oodcore.models import Network
from oodcore.panel import FittedPanel
from oodcore.records import Bank
from oodcore.report import Convention, Report, Row, measure_row

__all__ = ["ClosedSet", "Evaluation", "evaluate", "evaluating"]

COVARIANCE = ("mahalanobis", "relative_mahalanobis", "residual", "vim")
DRAWS = 400


class ClosedSet(NamedTuple):
    """What the network makes of the classes that it knows, as shares from 0 to 1."""

    n: int
    accuracy: float
    ece: float


class Evaluation(NamedTuple):
    """Results against every OOD set; `closed_set` is None where the ID set's labels are not the network's classes."""

    report: Report
    closed_set: ClosedSet | None


def evaluate(
    model: Network,
    panel: FittedPanel,
    id_test: ImageSet,
    ood_sets: Sequence[ImageSet],
    work: Work | None = None,
    *,
    checkpoint: str = "",
    auxiliary: Sequence[ImageSet] = (),
    intervals: bool = False,
    convention: Convention | None = None,
) -> Evaluation:
    """Every scorer of the panel on every OOD set; each set passes through the network once.

    Args:
        model: What `oodcore.load` gives.
        panel: Fitted on this network.
        id_test: In-distribution images that are in neither the panel's fit nor its calibration.
        ood_sets: Images that show none of the classes.
        work: How passes are run.
        checkpoint: What the report calls the network.
        auxiliary: Outliers that the network was trained with.
        intervals: Bootstrap intervals for every metric; AUROC has one always.
        convention: How threshold metrics are read.

    Raises:
        DataError: JPEG-coded beside lossless sets, a test image among training outliers, or an ID test that the panel
            has seen.
        ScoreError: a score is not finite, or the panel belongs to another network.
    """
    going = evaluating(
        model,
        panel,
        id_test,
        ood_sets,
        work or Work(),
        checkpoint=checkpoint,
        auxiliary=auxiliary,
        intervals=intervals,
        convention=convention,
    )
    while True:
        try:
            next(going)
        except StopIteration as end:
            return end.value


def evaluating(
    model: Network,
    panel: FittedPanel,
    id_test: ImageSet,
    ood_sets: Sequence[ImageSet],
    work: Work,
    *,
    checkpoint: str = "",
    auxiliary: Sequence[ImageSet] = (),
    intervals: bool = False,
    convention: Convention | None = None,
) -> Generator[tuple[str, Scores], None, Evaluation]:
    """The same, set by set: yields the name of each, the ID set first, with its scores, and returns the evaluation."""
    _refuse_mixtures(model, panel, id_test, ood_sets, auxiliary)
    id_scores, bank = scores_of(panel, model, id_test, work)
    yield id_test.name, id_scores
    rows: list[Row] = []
    for images in ood_sets:
        ood_scores, _ = scores_of(panel, model, images, work)
        doubts = _doubts(model, images)
        names = checkpoint, id_test.name, images.name
        rows += _rows(panel, names, id_scores, ood_scores, doubts, DRAWS if intervals else 0, convention)
        yield images.name, ood_scores
    return Evaluation(Report(rows), _closed_set(bank))


def _rows(
    panel: FittedPanel,
    names: tuple[str, str, str],
    id_scores: Scores,
    ood_scores: dict[str, Float64[Tensor, " m"]],
    doubts: list[Finding],
    draws: int,
    convention: Convention | None,
) -> list[Row]:
    return [
        measure_row(
            *names,
            scorer,
            id_scores[scorer],
            ood_scores[scorer],
            convention=convention,
            draws=draws,
            findings=(*doubts, *_doubts_of_fit(panel, scorer)),
        )
        for scorer in panel.names
    ]


def _doubts(model: Network, images: ImageSet) -> list[Finding]:
    shown = [name for name, count in images.counts.items() if count]
    found = trained_classes(model.classes, shown), unsure_preprocessing(model.transform)
    return [finding for finding in found if finding is not None]


def _doubts_of_fit(panel: FittedPanel, scorer: str) -> list[Finding]:
    rows, width = panel.about.get("fit", {}).get("n"), panel.width
    finding = small_bank(rows, width) if rows and width and scorer in COVARIANCE else None
    return [] if finding is None else [finding]


def _refuse_mixtures(
    model: Network, panel: FittedPanel, id_test: ImageSet, ood_sets: Sequence[ImageSet], auxiliary: Sequence[ImageSet]
) -> None:
    check_codings([id_test, *ood_sets], model.transform)
    for part in ("fit", "calibration"):
        if panel.about.get(part, {}).get("digest") == id_test.digest:
            raise DataError(
                f"The panel's {part} used these same images of '{id_test.name}'. Evaluate on its test split."
            )
    for outliers in auxiliary:
        check_disjoint(outliers, ood_sets, model.transform)


def _closed_set(bank: Bank) -> ClosedSet | None:
    known = bank.take(bank.labels >= 0)
    if len(known) == 0:
        return None
    logits = known.outputs.logits
    return ClosedSet(len(known), accuracy(logits, known.labels), ece(logits, known.labels))
