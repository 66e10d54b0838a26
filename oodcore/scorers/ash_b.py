"""Prune the weaker features of each row, level the others (Djurisic et al., ICLR 2023, arXiv:2209.09858): ASH-B."""

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
class ASHB(RowWise):
    """Features below a percentile of their own row become 0, the others share the row's sum equally.

    A dead unit never takes a share: where fewer units are active than may stay, choosing among the zeros would be
    chance.

    Args:
        percentile: Share to prune, from 0 to below 100.
        then: The scorer of the new logits.
    """

    info: ClassVar[Info] = Info(
        "ASH-B", ("features", "head"), "Djurisic et al., ICLR 2023, arXiv:2209.09858", fits=True
    )

    def fit(self, bank: Evidence | None = None, /) -> "ASHBFitted":
        return ASHBFitted(*self.learned(bank, levelled))


@dataclass(frozen=True, slots=True)
class ASHBFitted(Shaped):
    """Nothing to learn but what follows."""

    percentile: float

    def shape(self, outputs: Outputs, /) -> Float64[Tensor, "n d"]:
        return levelled(outputs, self.percentile)


def levelled(outputs: Outputs, percentile: float) -> Float64[Tensor, "n d"]:
    """Each row's sum, spread over its strongest features."""
    features = outputs.features.double()
    stays = (features >= largest(features, percentile)[:, -1:]) & (features != 0)
    share = features.sum(dim=1, keepdim=True) / stays.sum(dim=1, keepdim=True).clamp_min(1)
    return share * stays
