"""Scale each row by how concentrated it is, prune nothing (Xu et al., ICLR 2024, arXiv:2310.00227)."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from jaxtyping import Float64
from torch import Tensor

from oodcore.records import Evidence, Outputs
from oodcore.scorers import Info, scorers
from oodcore.scorers._evidence import given
from oodcore.scorers._shaping import Shaped, fit_then, gain, largest, require_logit_scorer, require_percentile


@scorers.register
@dataclass(frozen=True, slots=True)
class SCALE:
    r"""$z \, e^{s_1/s_2}$, with $s_1$ the sum of the row and $s_2$ that of its features above a percentile.

    Args:
        percentile: Share left out of $s_2$, from 0 to below 100.
        then: The scorer of the new logits.
    """

    percentile: float = 65.0
    then: str = "energy"
    info: ClassVar[Info] = Info("SCALE", ("features", "head"), "Xu et al., ICLR 2024, arXiv:2310.00227", fits=True)

    def __post_init__(self) -> None:
        require_logit_scorer(self.then)
        require_percentile(self.percentile)

    def fit(self, bank: Evidence | None = None, /) -> "SCALEFitted":
        bank = given(bank)
        then = fit_then(self.then, bank, bank.head, partial(scaled, percentile=self.percentile))
        return SCALEFitted(bank.head, then, self.percentile)


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
