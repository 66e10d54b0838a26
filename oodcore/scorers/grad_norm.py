"""Norm of the last layer's gradient (Huang, Geng and Li, NeurIPS 2021, arXiv:2110.00218)."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers
from oodcore.scorers._softmax import log_softmax


@scorers.register
@dataclass(frozen=True, slots=True)
class GradNorm:
    r"""$-\lVert p - u \rVert_1 \, \lVert z \rVert_1$, in closed form.

    The gradient of $\mathrm{KL}(u \,\Vert\, p)$, $u$ uniform, with respect to the last layer's weights is the outer
    product of $p - u$ and the features $z$, so its L1 norm is a product and nothing needs to be differentiated. The
    paper's score is high in distribution; the sign makes ours high outside.
    """

    info: ClassVar[Info] = Info(
        "GradNorm", ("logits", "features"), "Huang et al., NeurIPS 2021, arXiv:2110.00218", fits=False
    )

    def fit(self, bank: Evidence | None = None, /) -> "GradNormFitted":
        return GradNormFitted()


@dataclass(frozen=True, slots=True)
class GradNormFitted(Fitted):
    """Nothing to learn."""

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        p = log_softmax(outputs.logits).exp()
        return -(p - 1 / p.shape[1]).abs().sum(dim=1) * outputs.features.double().abs().sum(dim=1)
