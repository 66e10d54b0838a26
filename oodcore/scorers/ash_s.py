"""Prune the weaker features of each row and scale the others (Djurisic et al., ICLR 2023, arXiv:2209.09858): ASH-S."""

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
class ASHS(RowWise):
    r"""Features below a percentile of their own row become 0, the others grow by $e^{s_1/s_2}$.

    $s_1$ and $s_2$ are the sums before and after pruning.

    Args:
        percentile: Share to prune, from 0 to below 100.
        then: The scorer of the new logits.
    """

    info: ClassVar[Info] = Info(
        "ASH-S", ("features", "head"), "Djurisic et al., ICLR 2023, arXiv:2209.09858", fits=True
    )

    def fit(self, bank: Evidence | None = None, /) -> "ASHSFitted":
        return ASHSFitted(*self.learned(bank, sharpened))


@dataclass(frozen=True, slots=True)
class ASHSFitted(Shaped):
    """Nothing to learn but what follows."""

    percentile: float

    def shape(self, outputs: Outputs, /) -> Float64[Tensor, "n d"]:
        return sharpened(outputs, self.percentile)


def sharpened(outputs: Outputs, percentile: float) -> Float64[Tensor, "n d"]:
    """The strongest features of each row, scaled up by how much was pruned."""
    features = outputs.features.double()
    strongest = largest(features, percentile)
    return features.where(features >= strongest[:, -1:], 0) * gain(features, strongest)
