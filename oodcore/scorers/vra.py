"""Drop weak features and clip strong ones (Xu et al., NeurIPS 2023, arXiv:2302.11716)."""

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
class VRA:
    r"""$0$ below $\alpha$, $z_i$ between, $\beta$ above $\beta$: the paper's VRA-P.

    Both limits are quantiles of the bank's values, all features together. Clipping from below instead, as some
    libraries do, lifts weak features to $\alpha$, where the paper removes them.

    Args:
        low: Share of the values that is dropped, in [0, 1).
        high: Share of the values that stays unclipped, above `low` and at most 1.
        then: The scorer of the new logits.
    """

    low: float = 0.6
    high: float = 0.95
    then: str = "energy"
    info: ClassVar[Info] = Info("VRA", ("features", "head"), "Xu et al., NeurIPS 2023, arXiv:2302.11716", fits=True)

    def __post_init__(self) -> None:
        require_logit_scorer(self.then)
        if not 0 <= self.low < self.high <= 1:
            raise ScoreError(f"VRA needs 0 <= low < high <= 1; got {self.low} and {self.high}.")

    def fit(self, bank: Evidence | None = None, /) -> "VRAFitted":
        bank = given(bank)
        low, high = pooled_quantiles(bank, (self.low, self.high))
        then = fit_then(self.then, bank, bank.head, partial(rectified, low=low, high=high))
        return VRAFitted(bank.head, then, low, high)


@dataclass(frozen=True, slots=True)
class VRAFitted(Shaped):
    """The limits found."""

    low: float
    high: float

    def shape(self, outputs: Outputs, /) -> Float64[Tensor, "n d"]:
        return rectified(outputs, self.low, self.high)


def rectified(outputs: Outputs, low: float, high: float) -> Float64[Tensor, "n d"]:
    """Features of at least `low`, or 0, and at most `high`."""
    features = outputs.features.double()
    return features.where(features >= low, 0).clamp(max=high)
