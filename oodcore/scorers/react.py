"""Clip unusually strong features (Sun, Guo and Li, NeurIPS 2021, arXiv:2111.12797)."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from jaxtyping import Float64
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Evidence, Outputs
from oodcore.scorers import Info, scorers
from oodcore.scorers._evidence import given, pooled_quantiles
from oodcore.scorers._shaping import Shaped, fit_then, require_logit_scorer


@scorers.register
@dataclass(frozen=True, slots=True)
class ReAct:
    r"""$\min(z_i, c)$ with one $c$ for all features: a quantile of the bank's values, all features together.

    Args:
        keep: Share of the values that stay as they are, in (0, 1].
        then: The scorer of the new logits.
    """

    keep: float = 0.9
    then: str = "energy"
    info: ClassVar[Info] = Info("ReAct", ("features", "head"), "Sun et al., NeurIPS 2021, arXiv:2111.12797", fits=True)

    def __post_init__(self) -> None:
        require_logit_scorer(self.then)
        if not 0 < self.keep <= 1:
            raise ScoreError(f"keep is a share of the values, above 0 and at most 1; got {self.keep}.")

    def fit(self, bank: Evidence | None = None, /) -> "ReActFitted":
        bank = given(bank)
        (limit,) = pooled_quantiles(bank, (self.keep,))
        then = fit_then(self.then, bank, bank.head, partial(clipped, limit=limit))
        return ReActFitted(bank.head, then, limit)


@dataclass(frozen=True, slots=True)
class ReActFitted(Shaped):
    """The limit found."""

    limit: float

    def shape(self, outputs: Outputs, /) -> Float64[Tensor, "n d"]:
        return clipped(outputs, self.limit)


def clipped(outputs: Outputs, limit: float) -> Float64[Tensor, "n d"]:
    """Features of at most `limit`."""
    return outputs.features.double().clamp(max=limit)
