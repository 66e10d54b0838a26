"""Energy plus distance to trained class centres, each on its own scale: this project's reading of SDE's coupled score.

Only the abstract of the paper (Joshi et al., IJCNN 2022, arXiv:2208.10787) was at hand: the formula is ours. It needs a
network that was trained with centres.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.functional import Distance, free_energy
from oodcore.metrics import auroc
from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers
from oodcore.scorers._evidence import pieces
from oodcore.scorers.representation import Representation, RepresentationFitted

WEIGHTS = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)

Scale: TypeAlias = tuple[float, float]
"""Mean and standard deviation (divided by n) over the bank."""


@scorers.register
@dataclass(frozen=True, slots=True)
class SemanticEnergy:
    r"""$(E - \mu_E)/\sigma_E + \lambda\,(R - \mu_R)/\sigma_R$, means and deviations of the bank.

    Args:
        weight: $\lambda \ge 0$. To choose it, `choose_lambda`, never test outliers.
        temperature: Of the representation score $R$; see `Representation`. The energy $E$ has temperature 1.
        distance: Of the representation score; see `Representation`.
    """

    weight: float = 1.0
    temperature: float = 0.1
    distance: Distance = "cosine"
    info: ClassVar[Info] = Info(
        "Semantic energy", ("logits", "embeddings"), "reconstruction of Joshi et al., arXiv:2208.10787", fits=True
    )

    def __post_init__(self) -> None:
        if not 0 <= self.weight < float("inf"):
            raise ScoreError(f"weight must be 0 or more; got {self.weight}.")
        Representation(self.temperature, self.distance)  # raises what there is to raise

    def fit(self, bank: Evidence | None = None, /) -> "SemanticEnergyFitted":
        representation = Representation(self.temperature, self.distance).fit(bank)
        found = [(free_energy(part.outputs.logits.double()), representation(part.outputs)) for part in pieces(bank)]
        energies, distances = (torch.cat(side) for side in zip(*found, strict=True))
        return SemanticEnergyFitted(self.weight, scale_of(energies), scale_of(distances), representation)


@dataclass(frozen=True, slots=True)
class SemanticEnergyFitted(Fitted):
    """Scales of the two parts, and the centres."""

    weight: float
    energy: Scale
    distance: Scale
    representation: RepresentationFitted

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        energies, distances = free_energy(outputs.logits.double()), self.representation(outputs)
        return standard(energies, self.energy) + self.weight * standard(distances, self.distance)


def choose_lambda(
    fitted: SemanticEnergyFitted, inliers: Outputs, outliers: Outputs, /, weights: Sequence[float] = WEIGHTS
) -> float:
    r"""The $\lambda$ with the largest AUROC; the one nearest to 1 among equals.

    Args:
        fitted: Its own weight does not matter.
        inliers: Of a validation split that is neither in the bank nor in a reported test.
        outliers: Of auxiliary images such as the network was trained with, best held out. Never of a test set: the
            figures reported on it would no longer say how unseen outliers fare.
        weights: To choose from.

    Raises:
        ScoreError: no rows, or nothing to choose from.
    """
    if not weights:
        raise ScoreError("There are no weights to choose from. Give at least one, as 1.0.")
    found = {weight: replace(fitted, weight=weight) for weight in sorted(weights, key=lambda weight: abs(weight - 1))}
    return max(found, key=lambda weight: auroc(found[weight](inliers), found[weight](outliers)))


def standard(values: Float64[Tensor, " n"], scale: Scale) -> Float64[Tensor, " n"]:
    """In deviations from the mean."""
    return (values - scale[0]) / scale[1]


def scale_of(values: Float64[Tensor, " n"]) -> Scale:
    """Mean and deviation.

    Raises:
        ScoreError: the values are all the same, or not finite.
    """
    mean, deviation = values.mean().item(), values.std(correction=0).item()
    if not 0 < deviation < float("inf"):
        raise ScoreError(
            "Energies or distances of the bank are all the same or not finite, so they have no scale. Collect more "
            "than one in-distribution image, and check the weights."
        )
    return mean, deviation
