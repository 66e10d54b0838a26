"""Maximum softmax probability (Hendrycks and Gimpel, ICLR 2017, arXiv:1610.02136)."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers
from oodcore.scorers._softmax import surprisal


@scorers.register
@dataclass(frozen=True, slots=True)
class MSP:
    r"""$-\log \max_j p_j$, which orders rows as $-\max_j p_j$ does and does not tie where that rounds to $-1$."""

    info: ClassVar[Info] = Info(
        "Maximum softmax probability", ("logits",), "Hendrycks and Gimpel, ICLR 2017, arXiv:1610.02136", fits=False
    )

    def fit(self, bank: Evidence | None = None, /) -> "MSPFitted":
        return MSPFitted()


@dataclass(frozen=True, slots=True)
class MSPFitted(Fitted):
    """Nothing to learn."""

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        return surprisal(outputs.logits)
