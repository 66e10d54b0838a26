"""Outlier exposure: predictions on outliers are drawn to uniform (Hendrycks et al., ICLR 2019, arXiv:1812.04606)."""

from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from oodcore.losses import About, LogitObjective, Terms, losses
from oodcore.losses._hinges import require_outliers, require_range

__all__ = ["OutlierExposure", "OutlierExposureObjective"]


@losses.register
@dataclass(frozen=True, slots=True)
class OutlierExposure:
    r"""$CE + w \cdot \frac1m \sum (\mathrm{logsumexp} f - \bar f)$, the cross-entropy to uniform (§4.3).

    Args:
        weight: $w \ge 0$: how much the outliers count beside the cross-entropy; 0.5 is published for images.

    Raises:
        ScoreError: a negative weight.
    """

    weight: float = 0.5
    about: ClassVar[About] = About(
        "Outlier exposure", "Hendrycks et al., ICLR 2019, arXiv:1812.04606, §4.3", outliers=True, evidence="nothing"
    )

    def __post_init__(self) -> None:
        require_range(weight=self.weight)

    def fit(self, evidence: Any = None, /) -> "OutlierExposureObjective":
        return OutlierExposureObjective(self.weight)


@dataclass(frozen=True, slots=True)
class OutlierExposureObjective(LogitObjective):
    """See `OutlierExposure`."""

    weight: float

    def _terms(self, inside: Float[Tensor, "n k"], labels: Int[Tensor, " n"], outside: Float[Tensor, "m k"]) -> Terms:
        require_outliers(outside)
        uniform = outside.logsumexp(dim=1) - outside.mean(dim=1)
        return {
            "cross_entropy": F.cross_entropy(inside, labels),
            "outlier_exposure": self.weight * uniform.mean(),
        }
