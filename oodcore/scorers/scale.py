"""Scale each row by how concentrated it is, prune nothing (Xu et al., ICLR 2024, arXiv:2310.00227)."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float64
from torch import Tensor

from oodcore.records import Evidence, Outputs
from oodcore.scorers import Info, scorers
from oodcore.scorers._row_wise import RowWise, gain, largest
from oodcore.scorers._shaping import Shaped


@scorers.register
@dataclass(frozen=True, slots=True)
class SCALE(RowWise):
    r"""$z \, e^{s_1/s_2}$, with $s_1$ the sum of the row and $s_2$ that of its features above a percentile.

    Args:
        percentile: Share left out of $s_2$, from 0 to below 100.
        then: The scorer of the new logits.
    """

    info: ClassVar[Info] = Info("SCALE", ("features", "head"), "Xu et al., ICLR 2024, arXiv:2310.00227", fits=True)

    def fit(self, bank: Evidence | None = None, /) -> "SCALEFitted":
        return SCALEFitted(*self.learned(bank, scaled))


@dataclass(frozen=True, slots=True)
class SCALEFitted(Shaped):
    """Nothing to learn but what follows."""

    percentile: float

    def shape(self, outputs: Outputs, /) -> Float64[Tensor, "n d"]:
        return scaled(outputs, self.percentile)


def scaled(outputs: Outputs, percentile: float) -> Float64[Tensor, "n d"]:
    """Every feature, scaled up by the weight of the weak ones."""
    features = outputs.features.double()
    return features * gain(features, largest(features, percentile))
