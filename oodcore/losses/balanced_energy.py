"""Balanced energy regularisation (Choi, Jeong & Choi, CVPR 2023, arXiv:2306.10485).

Auxiliary outliers crowd into a few classes. Those that the network sends to a crowded class are pushed to a higher
energy, and count more. Formulas follow the released code (github.com/hyunjunChhoi/Balanced_Energy at 62260c7), which
divides by the batch's sum of weights and detaches nothing.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor
from torch.nn import functional as F

from oodcore.errors import ScoreError
from oodcore.functional import wide
from oodcore.losses import About, LogitObjective, Terms, losses
from oodcore.losses._hinges import energy_gaps, require_margins, require_range, shares
from oodcore.losses._mean import weighted_mean
from oodcore.metrics.inputs import Array
from oodcore.priors import majority, temper

__all__ = ["BalancedEnergy", "BalancedEnergyObjective", "trained_with"]


@losses.register
@dataclass(frozen=True, slots=True)
class BalancedEnergy:
    r"""Energy regularisation whose outlier side is $\sum_b Z_b \max(0, m_{out} + \alpha Z_b - E_b)^2 / \sum_b Z_b$.

    $Z_b = \sum_i s_i(x_b)\, \pi^{(\gamma)}_i$, with the softmax of the network in training. γ = 0 is plain energy
    regularisation with margin $m_{out} + \alpha/k$ exactly, so a fair comparison includes that one.

    Args:
        weight: $\lambda \ge 0$: how much both hinges count beside the cross-entropy.
        margin_in: $m_{in}$; in-distribution energies are pushed below it; see `Energy`.
        margin_out: $m_{out}$, above `margin_in`; outliers' energies are pushed above it.
        alpha: $\alpha \ge 0$, on the network's energy scale: how far the margin rises with the majority share Z.
            Published: 10 for 10 classes, 100 for 100. For other margins, `Suggestion.alpha` scales it to their gap.
        gamma: $\gamma \ge 0$ in the margin; sharpens (above 1) or flattens (below 1) the prior.
        gamma_weight: $\gamma \ge 0$ in the weight of an outlier; None takes `gamma`, as all published settings do.
        detach_margin: Cut the gradient through Z in the margin.
        detach_weight: Cut the gradient through Z in the weight, numerator and denominator.
        zero_stays_zero: At γ = 0, classes that no outlier falls into weigh nothing instead of $0^0 = 1$.

    Raises:
        ScoreError: a negative number, or margins the wrong way round.
    """

    weight: float = 0.1
    margin_in: float = -23.0
    margin_out: float = -5.0
    alpha: float = 10.0
    gamma: float = 0.75
    gamma_weight: float | None = None
    detach_margin: bool = False
    detach_weight: bool = False
    zero_stays_zero: bool = False
    about: ClassVar[About] = About(
        "Balanced energy",
        "Choi et al., CVPR 2023, arXiv:2306.10485, and its released code",
        outliers=True,
        evidence="outlier prior",
    )

    def __post_init__(self) -> None:
        require_range(weight=self.weight, alpha=self.alpha, gamma=self.gamma, gamma_weight=self.exponent)
        require_margins(self.margin_in, self.margin_out)

    @property
    def exponent(self) -> float:
        """The weight's gamma, its own or that of the margin."""
        return self.gamma if self.gamma_weight is None else self.gamma_weight

    def fit(self, prior: Array | None = None, /) -> "BalancedEnergyObjective":
        """With the untempered prior, shape (k,), in any positive scale: `oodcore.priors.outlier_counts`.

        Raises:
            ScoreError: no prior, or one with negative, all-zero or non-finite entries.
        """
        if prior is None:
            raise ScoreError(
                "Balanced energy needs the outliers' class prior. Count it with outlier_counts, `ood prior`."
            )
        gammas = self.gamma, self.exponent
        tempered = [temper(prior, gamma, zero_stays_zero=self.zero_stays_zero) for gamma in gammas]
        return BalancedEnergyObjective(self, tempered[0], tempered[1])


def trained_with(recipe: Mapping[str, Any], classes: int) -> "BalancedEnergyObjective | None":
    """The objective that a checkpoint was trained with; None where that was another one, or cannot be read.

    Args:
        recipe: Of its card, with the prior that was counted before the training.
        classes: Of the network.
    """
    loss, prior = recipe.get("loss"), recipe.get("outlier_prior")
    if not isinstance(loss, Mapping) or loss.get("name") != "balanced_energy" or not isinstance(prior, list):
        return None
    settings = {each.name: loss[each.name] for each in fields(BalancedEnergy) if each.name in loss}
    with suppress(ScoreError, TypeError, ValueError):
        return BalancedEnergy(**settings).fit(prior) if len(prior) == classes else None
    return None


@dataclass(frozen=True, slots=True)
class BalancedEnergyObjective(LogitObjective):
    """See `BalancedEnergy`; the priors are tempered."""

    loss: BalancedEnergy
    margin_prior: Float64[Tensor, " k"]
    weight_prior: Float64[Tensor, " k"]

    def _terms(self, inside: Float[Tensor, "n k"], labels: Int[Tensor, " n"], outside: Float[Tensor, "m k"]) -> Terms:
        inner, outer = self._gaps(inside, outside)
        share = majority(outside, self.weight_prior)
        return {
            "cross_entropy": F.cross_entropy(inside, labels),
            "energy_in": self.loss.weight * inner.square().mean(),
            "energy_out": self.loss.weight
            * weighted_mean(outer.square(), share.detach() if self.loss.detach_weight else share),
        }

    @property
    def gamma_weight(self) -> float:
        """As it is used."""
        return self.loss.exponent

    @property
    def class_margins(self) -> Float64[Tensor, " k"]:
        r"""$m_{out} + \alpha Z$ of an outlier that is wholly taken for one class: its Z is that class's share."""
        return self.loss.margin_out + self.loss.alpha * self.margin_prior

    @property
    def class_weights(self) -> Float64[Tensor, " k"]:
        """How many times as much as one of the average class such an outlier counts."""
        return self.weight_prior / self.weight_prior.mean()

    def crowding(self, shares: Float[Tensor, "*rows k"]) -> Float64[Tensor, "*rows"]:
        """Z of samples, from their softmax: how much they look like the classes that outliers crowd into."""
        return shares.double() @ self.margin_prior

    def margins(self, shares: Float[Tensor, "*rows k"]) -> Float64[Tensor, "*rows"]:
        r"""$m_{out} + \alpha Z$ of samples, from their softmax: what their energy would have to reach as outliers."""
        return self.loss.margin_out + self.loss.alpha * self.crowding(shares)

    def pushed(self, ood_logits: Float[Tensor, "m k"]) -> Bool[Tensor, " m"]:
        """Which outliers lie below their own margin, so that the loss pushes their energy up."""
        logits = wide(ood_logits)
        return self._gaps(logits, logits)[1] > 0

    def _activity(self, inside: Float[Tensor, "n k"], outside: Float[Tensor, "m k"]) -> Terms:
        return shares(*self._gaps(inside, outside))

    def _gaps(
        self, inside: Float[Tensor, "n k"], outside: Float[Tensor, "m k"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, " m"]]:
        if outside.shape[-1] != len(self.margin_prior):
            raise ScoreError(
                f"The prior has {len(self.margin_prior)} classes, the network {outside.shape[-1]}. "
                "Count the outliers with the network that is trained."
            )
        loss = self.loss
        share = majority(outside, self.margin_prior)
        lift = loss.alpha * (share.detach() if loss.detach_margin else share)
        return energy_gaps(inside, outside, loss.margin_in, loss.margin_out + lift)
