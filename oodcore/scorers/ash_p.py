"""Prune the weaker features of each row (Djurisic et al., ICLR 2023, arXiv:2209.09858): ASH-P."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float64
from torch import Tensor

from oodcore.records import Evidence, Outputs
from oodcore.scorers import Info, scorers
from oodcore.scorers._row_wise import RowWise, largest
from oodcore.scorers._shaping import Shaped


@scorers.register
@dataclass(frozen=True, slots=True)
class ASHP(RowWise):
    """Features below a percentile of their own row become 0, the others stay.

    Args:
        percentile: Share to prune, from 0 to below 100.
        then: The scorer of the new logits.
    """

    info: ClassVar[Info] = Info(
        "ASH-P", ("features", "head"), "Djurisic et al., ICLR 2023, arXiv:2209.09858", fits=True
    )

    def fit(self, bank: Evidence | None = None, /) -> "ASHPFitted":
        return ASHPFitted(*self.learned(bank, pruned))


@dataclass(frozen=True, slots=True)
class ASHPFitted(Shaped):
    """Nothing to learn but what follows."""

    percentile: float

    def shape(self, outputs: Outputs, /) -> Float64[Tensor, "n d"]:
        return pruned(outputs, self.percentile)


def pruned(outputs: Outputs, percentile: float) -> Float64[Tensor, "n d"]:
    """The strongest features of each row; those that tie with the weakest of them stay too."""
    features = outputs.features.double()
    return features.where(features >= largest(features, percentile)[:, -1:], 0)
