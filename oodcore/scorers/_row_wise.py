"""Shape each row by a percentile of its own features: what the ASH variants and SCALE share."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float64
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Evidence, Head, Outputs
from oodcore.scorers import Fitted
from oodcore.scorers._evidence import given
from oodcore.scorers._shaping import fit_then, require_logit_scorer


@dataclass(frozen=True, slots=True)
class RowWise:
    """Numbers of such a step. The shape needs no bank, only what follows may learn from it.

    Raises:
        ScoreError: a percentile that is not at least 0 and below 100, or a next scorer that reads more than logits.
    """

    percentile: float = 65.0
    then: str = "energy"

    def __post_init__(self) -> None:
        require_logit_scorer(self.then)
        if not 0 <= self.percentile < 100:
            raise ScoreError(f"percentile is a share of the features, from 0 to below 100; got {self.percentile}.")

    def learned(
        self, bank: Evidence | None, shape: Callable[[Outputs, float], Tensor], /
    ) -> tuple[Head, Fitted, float]:
        """Head, next scorer on the shaped bank, percentile: what the fitted step consists of."""
        bank = given(bank)
        then = fit_then(self.then, bank, bank.head, lambda outputs: shape(outputs, self.percentile))
        return bank.head, then, self.percentile


def largest(features: Float64[Tensor, "n d"], percentile: float, /) -> Float64[Tensor, "n k"]:
    """The features above a percentile of their own row, falling; one at least."""
    d = features.shape[1]
    return features.topk(max(1, d - round(d * percentile / 100)), dim=1).values


def gain(features: Float64[Tensor, "n d"], strongest: Float64[Tensor, "n k"], /) -> Float64[Tensor, "n 1"]:
    r"""$e^{s_1/s_2}$ from the sums of all and of the strongest features; 1 where the latter is not positive."""
    all_of_it, most_of_it = features.sum(dim=1, keepdim=True), strongest.sum(dim=1, keepdim=True)
    return (all_of_it / most_of_it).where(most_of_it > 0, 0).exp()
