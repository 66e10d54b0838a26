"""Prune the weaker features of each row, level the others (Djurisic et al., ICLR 2023, arXiv:2209.09858): ASH-B."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from jaxtyping import Float64
from torch import Tensor

from oodcore.records import Evidence, Outputs
from oodcore.scorers import Info, scorers
from oodcore.scorers._evidence import given
from oodcore.scorers._shaping import Shaped, fit_then, largest, require_logit_scorer, require_percentile


@scorers.register
@dataclass(frozen=True, slots=True)
class ASHB:
    """Features below a percentile of their own row become 0, the others share the row's sum equally.

    A dead unit never takes a share: where fewer units are active than may stay, choosing among the zeros would be
    chance.

    Args:
        percentile: Share to prune, from 0 to below 100.
        then: The scorer of the new logits.
    """

    percentile: float = 65.0
    then: str = "energy"
    info: ClassVar[Info] = Info(
        "ASH-B", ("features", "head"), "Djurisic et al., ICLR 2023, arXiv:2209.09858", fits=True
    )

    def __post_init__(self) -> None:
        require_logit_scorer(self.then)
        require_percentile(self.percentile)

    def fit(self, bank: Evidence | None = None, /) -> "ASHBFitted":
        bank = given(bank)
        then = fit_then(self.then, bank, bank.head, partial(levelled, percentile=self.percentile))
        return ASHBFitted(bank.head, then, self.percentile)


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
