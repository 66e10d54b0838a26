"""Energy regularisation: known images below one margin, outliers above another (Liu et al., NeurIPS 2020)."""

from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from oodcore.losses import About, LogitObjective, Terms, losses
from oodcore.losses._hinges import energy_gaps, require_margins, require_range, shares

__all__ = ["Energy", "EnergyObjective"]


@losses.register
@dataclass(frozen=True, slots=True)
class Energy:
    r"""$CE + \lambda\,[\overline{\max(0, E - m_{in})^2} + \overline{\max(0, m_{out} - E)^2}]$.

    Energies live on the scale of a network's logits: the defaults belong to WRN-40-2 on CIFAR-10. For other networks
    `oodcore.train.margins.suggest` reads them off the energies before fine-tuning.

    Args:
        weight: $\lambda \ge 0$: how much both hinges count beside the cross-entropy.
        margin_in: $m_{in}$; in-distribution energies are pushed below it. Published: -23 (CIFAR-10), -27 (CIFAR-100).
        margin_out: $m_{out}$, above `margin_in`; outliers' energies are pushed above it. Published: -5.

    Raises:
        ScoreError: a negative weight, or margins the wrong way round.
    """

    weight: float = 0.1
    margin_in: float = -23.0
    margin_out: float = -5.0
    about: ClassVar[About] = About(
        "Energy", "Liu et al., NeurIPS 2020, arXiv:2010.03759, eq. 8 and 9", outliers=True, evidence="nothing"
    )

    def __post_init__(self) -> None:
        require_range(weight=self.weight)
        require_margins(self.margin_in, self.margin_out)

    def fit(self, evidence: Any = None, /) -> "EnergyObjective":
        return EnergyObjective(self)


@dataclass(frozen=True, slots=True)
class EnergyObjective(LogitObjective):
    """See `Energy`."""

    loss: Energy

    def _terms(self, inside: Float[Tensor, "n k"], labels: Int[Tensor, " n"], outside: Float[Tensor, "m k"]) -> Terms:
        inner, outer = self._gaps(inside, outside)
        return {
            "cross_entropy": F.cross_entropy(inside, labels),
            "energy_in": self.loss.weight * inner.square().mean(),
            "energy_out": self.loss.weight * outer.square().mean(),
        }

    def _activity(self, inside: Float[Tensor, "n k"], outside: Float[Tensor, "m k"]) -> Terms:
        return shares(*self._gaps(inside, outside))

    def _gaps(
        self, inside: Float[Tensor, "n k"], outside: Float[Tensor, "m k"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, " m"]]:
        return energy_gaps(inside, outside, self.loss.margin_in, self.loss.margin_out)
