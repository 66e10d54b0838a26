"""Keep only the weights that contribute (Sun and Li, ECCV 2022, arXiv:2111.09805)."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float64
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Evidence, Head, Outputs
from oodcore.scorers import Info, scorers
from oodcore.scorers._evidence import given, quantile
from oodcore.scorers._shaping import Shaped, fit_then, require_logit_scorer


@scorers.register
@dataclass(frozen=True, slots=True)
class DICE:
    r"""Logits of a head without the weights $W_{ci}$ whose contribution $\bar z_i W_{ci}$ is small.

    $\bar z$ is the bank's mean feature.

    Args:
        sparsity: Share of the weights to remove, in [0, 1).
        then: The scorer of the new logits.
    """

    sparsity: float = 0.9
    then: str = "energy"
    info: ClassVar[Info] = Info("DICE", ("features", "head"), "Sun and Li, ECCV 2022, arXiv:2111.09805", fits=True)

    def __post_init__(self) -> None:
        require_logit_scorer(self.then)
        if not 0 <= self.sparsity < 1:
            raise ScoreError(f"sparsity is the share of weights to remove, from 0 to below 1; got {self.sparsity}.")

    def fit(self, bank: Evidence | None = None, /) -> "DICEFitted":
        bank = given(bank)
        head = sparsified(bank.head, bank.moments.mean, self.sparsity)
        return DICEFitted(head, fit_then(self.then, bank, head, unchanged))


@dataclass(frozen=True, slots=True)
class DICEFitted(Shaped):
    """The thinned head."""

    def shape(self, outputs: Outputs, /) -> Float64[Tensor, "n d"]:
        return unchanged(outputs)


def unchanged(outputs: Outputs) -> Float64[Tensor, "n d"]:
    """The features; only the head differs."""
    return outputs.features.double()


def sparsified(head: Head, mean: Float64[Tensor, " d"], sparsity: float) -> Head:
    """The weights whose contribution lies above a quantile of them all. With sparsity 0 nothing is removed."""
    contribution = head.weight.double() * mean
    if sparsity == 0:
        return head
    return Head(head.weight.where(contribution > quantile(contribution.flatten(), sparsity), 0), head.bias)
