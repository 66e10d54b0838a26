"""One result: a scorer of a checkpoint on one pair of sets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from oodcore.checks import Finding, examine
from oodcore.errors import ScoreError
from oodcore.metrics import Interval, auroc_interval, ood_intervals
from oodcore.metrics.inputs import Array
from oodcore.metrics.levels import count_levels
from oodcore.metrics.ranking import Interpolation, Rule
from oodcore.metrics.summary import measure

__all__ = ["Convention", "Row", "measure_row"]


@dataclass(frozen=True, slots=True)
class Convention:
    """What the numbers of a row mean. See `metrics.ood_metrics`.

    Raises:
        ScoreError: an unknown rule or interpolation.
    """

    recall: float = 0.95
    rule: Rule = "first"
    interpolation: Interpolation = "step"
    pooling: str = "pooled"
    score: str = "higher is more OOD"

    def __post_init__(self) -> None:
        if self.rule not in ("first", "nearest") or self.interpolation not in ("step", "trapezoid"):
            raise ScoreError(
                "rule must be 'first' or 'nearest' and interpolation 'step' or 'trapezoid'; "
                f"got {self.rule!r} and {self.interpolation!r}."
            )


@dataclass(frozen=True, slots=True)
class Row:
    """Values from 0 to 1 by the names of `metrics.ood_metrics`, and all that is needed to read them.

    Args:
        checkpoint: Name of the network.
        id_set: Name of the in-distribution test set.
        ood_set: Name of the OOD test set.
        scorer: Name of the scorer.
        n_id: ID images scored.
        n_ood: OOD images scored.
        values: Metric name to value.
        convention: How the values were taken.
        intervals: Metric name to interval, where one was computed.
        findings: Doubts from `checks`.
    """

    checkpoint: str
    id_set: str
    ood_set: str
    scorer: str
    n_id: int
    n_ood: int
    values: Mapping[str, float]
    convention: Convention = field(default_factory=Convention)
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def ood_share(self) -> float:
        """Share of OOD among all scored images: what AUPR depends on."""
        return self.n_ood / (self.n_id + self.n_ood)


def measure_row(
    checkpoint: str,
    id_set: str,
    ood_set: str,
    scorer: str,
    id_scores: Array,
    ood_scores: Array,
    /,
    *,
    convention: Convention | None = None,
    draws: int = 400,
    findings: tuple[Finding, ...] = (),
) -> Row:
    """Score sets → a row, checks of the scores included.

    Args:
        checkpoint: See `Row`.
        id_set: See `Row`.
        ood_set: See `Row`.
        scorer: See `Row`.
        id_scores: Shape (n,), higher is more out-of-distribution.
        ood_scores: Shape (m,).
        convention: The default takes the first threshold with 95 % recall and average precision.
        draws: Bootstrap resamples for the intervals; 0 leaves only AUROC's, which needs none.
        findings: What is already known to be doubtful, as from `checks.trained_classes`.

    Raises:
        ScoreError: see `metrics.auroc`.
    """
    how = convention or Convention()
    levels = count_levels(id_scores, ood_scores)
    intervals = {"auroc": auroc_interval(id_scores, ood_scores)}
    if draws:
        intervals = ood_intervals(
            id_scores, ood_scores, recall=how.recall, rule=how.rule, interpolation=how.interpolation, draws=draws
        )
    return Row(
        checkpoint,
        id_set,
        ood_set,
        scorer,
        n_id=int(levels.id.sum()),
        n_ood=int(levels.ood.sum()),
        values=measure(levels, how.recall, how.rule, how.interpolation),
        convention=how,
        intervals=intervals,
        findings=(*findings, *examine(id_scores, ood_scores)),
    )
