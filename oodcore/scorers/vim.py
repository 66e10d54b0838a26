"""The residual as a virtual logit beside the energy (Wang et al., CVPR 2022, arXiv:2203.10807, eq. 5-7).

Reference: github.com/haoqiwang/vim at 2d7feb5, benchmark.py.
"""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float, Float64
from torch import Tensor

from oodcore.functional import free_energy
from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers
from oodcore.scorers._evidence import given, pieces
from oodcore.scorers.residual import NullSpace


@scorers.register
@dataclass(frozen=True, slots=True)
class ViM:
    r"""$\alpha \lVert x^{P^\perp} \rVert - \log\sum_j e^{f_j}$.

    $\alpha$ is the bank's mean top logit over its mean residual.

    Args:
        dim: Dimension of the principal subspace, as in `residual`.
    """

    dim: int | None = None
    info: ClassVar[Info] = Info(
        "ViM", ("logits", "features", "head"), "Wang et al., CVPR 2022, arXiv:2203.10807, eq. 5-7", fits=True
    )

    def fit(self, bank: Evidence | None = None, /) -> "ViMFitted":
        space = NullSpace.of(given(bank), self.dim)
        top = lengths = 0.0
        for part in pieces(bank):
            top += float(part.outputs.logits.double().amax(dim=1).sum())
            lengths += float(space.norm(part.outputs.features).sum())
        # abs: logits that are all negative would otherwise reward the residual.
        return ViMFitted(abs(top) / lengths, space.origin, space.basis)


@dataclass(frozen=True, slots=True)
class ViMFitted(Fitted):
    """Scale of the virtual logit, origin, and basis of the residual."""

    alpha: float
    origin: Float64[Tensor, " d"]
    basis: Float64[Tensor, "d r"]

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        virtual = self.alpha * NullSpace(self.origin, self.basis).norm(outputs.features)
        return virtual + free_energy(outputs.logits.double())
