"""Free energy of the logits (Liu et al., NeurIPS 2020, arXiv:2010.03759, eq. 4)."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from oodcore.functional import free_energy
from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers
from oodcore.scorers._softmax import require_temperature


@scorers.register
@dataclass(frozen=True, slots=True)
class Energy:
    r"""$E(x;T) = -T \log\sum_j e^{f_j/T}$.

    Args:
        temperature: $T > 0$; large values approach the mean logit.
    """

    temperature: float = 1.0
    info: ClassVar[Info] = Info("Energy", ("logits",), "Liu et al., NeurIPS 2020, arXiv:2010.03759, eq. 4", fits=False)

    def __post_init__(self) -> None:
        require_temperature(self.temperature)

    def fit(self, bank: Evidence | None = None, /) -> "EnergyFitted":
        return EnergyFitted(self.temperature)


@dataclass(frozen=True, slots=True)
class EnergyFitted(Fitted):
    """Nothing to learn."""

    temperature: float

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        return free_energy(outputs.logits.double(), self.temperature)
