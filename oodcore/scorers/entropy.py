"""Entropy of the softmax, a baseline older than the field (used as one by Chan et al., ICCV 2021, arXiv:2012.06575)."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers
from oodcore.scorers._softmax import log_softmax


@scorers.register
@dataclass(frozen=True, slots=True)
class Entropy:
    r"""$-\sum_j p_j \log p_j$ in nats, from 0 (sure) to $\log k$ (uniform)."""

    info: ClassVar[Info] = Info("Entropy", ("logits",), "Chan et al., ICCV 2021, arXiv:2012.06575", fits=False)

    def fit(self, bank: Evidence | None = None, /) -> "EntropyFitted":
        return EntropyFitted()


@dataclass(frozen=True, slots=True)
class EntropyFitted(Fitted):
    """Nothing to learn."""

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        log_p = log_softmax(outputs.logits)
        return -(log_p.exp() * log_p).sum(dim=-1)
