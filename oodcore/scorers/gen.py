"""Generalised entropy of the largest probabilities (Liu, Lochman and Zach, CVPR 2023)."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from oodcore.errors import ScoreError
from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers
from oodcore.scorers._softmax import log_softmax, odds_against_top


@scorers.register
@dataclass(frozen=True, slots=True)
class GEN:
    r"""$\sum_{j \in \mathrm{top}\,M} p_j^\gamma (1 - p_j)^\gamma$, a sum, as in the paper.

    In log space: a small $\gamma$ lifts probabilities of $10^{-20}$ into view, where clamping would flatten them.

    Args:
        gamma: Exponent in (0, 1]; small values look at the tail of the posterior.
        top: How many of the largest probabilities count; all of them where there are fewer classes.
    """

    gamma: float = 0.1
    top: int = 100
    info: ClassVar[Info] = Info("Generalised entropy (GEN)", ("logits",), "Liu et al., CVPR 2023", fits=False)

    def __post_init__(self) -> None:
        if not (0 < self.gamma <= 1 and self.top >= 1):
            raise ScoreError(f"GEN needs gamma in (0, 1] and top of at least 1; got {self.gamma} and {self.top}.")

    def fit(self, bank: Evidence | None = None, /) -> "GENFitted":
        return GENFitted(self.gamma, self.top)


@dataclass(frozen=True, slots=True)
class GENFitted(Fitted):
    """Nothing to learn."""

    gamma: float
    top: int

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        logits = outputs.logits
        log_p = log_softmax(logits).topk(min(self.top, logits.shape[-1])).values
        log_rest = (-log_p.exp()).log1p()  # exact for p <= 1/2, as all but the first must be
        log_rest[:, 0] = logsigmoid(odds_against_top(logits))
        return (self.gamma * (log_p + log_rest)).exp().sum(dim=-1)
