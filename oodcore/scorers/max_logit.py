"""The largest logit (Hendrycks et al., ICML 2022, arXiv:1911.11132)."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers


@scorers.register
@dataclass(frozen=True, slots=True)
class MaxLogit:
    r"""$-\max_j f_j$."""

    info: ClassVar[Info] = Info("Max logit", ("logits",), "Hendrycks et al., ICML 2022, arXiv:1911.11132", fits=False)

    def fit(self, bank: Evidence | None = None, /) -> "MaxLogitFitted":
        return MaxLogitFitted()


@dataclass(frozen=True, slots=True)
class MaxLogitFitted(Fitted):
    """Nothing to learn."""

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        return -outputs.logits.double().amax(dim=-1)
