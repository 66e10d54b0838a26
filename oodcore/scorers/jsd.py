"""Closeness of the softmax to uniform, by Jensen-Shannon divergence (Grcić, Bevandić and Šegvić, arXiv:2112.12833)."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from oodcore.functional import jsd_to_uniform
from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers
from oodcore.scorers._softmax import require_temperature


@scorers.register
@dataclass(frozen=True, slots=True)
class JSD:
    r"""$-\mathrm{JSD}(p, U)$ in nats, above $-\log 2$; 0 is uniform and most out-of-distribution.

    Args:
        temperature: Divides the logits; above 1 it spreads the confident end, where the divergence levels off.
    """

    temperature: float = 1.0
    info: ClassVar[Info] = Info("JSD to uniform", ("logits",), "Grcić et al., arXiv:2112.12833", fits=False)

    def __post_init__(self) -> None:
        require_temperature(self.temperature)

    def fit(self, bank: Evidence | None = None, /) -> "JSDFitted":
        return JSDFitted(self.temperature)


@dataclass(frozen=True, slots=True)
class JSDFitted(Fitted):
    """Nothing to learn."""

    temperature: float

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        return -jsd_to_uniform(outputs.logits.double(), self.temperature)
