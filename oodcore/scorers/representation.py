"""Free energy over distances to trained class centres: this project's reading of SDE (Joshi et al., arXiv:2208.10787).

Only the paper's abstract was at hand: it names the parts, and the formula is ours. It needs a network that was trained
with centres.
"""

from dataclasses import dataclass
from typing import ClassVar, get_args

from jaxtyping import Float, Float64
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.functional import Distance, representation_score
from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers
from oodcore.scorers._evidence import given
from oodcore.scorers._softmax import require_temperature


@scorers.register
@dataclass(frozen=True, slots=True)
class Representation:
    r"""$R(x) = -\tau \log \sum_c e^{-D_c/\tau}$, a soft minimum of the distances to the centres.

    Args:
        temperature: $\tau > 0$; towards 0 it is the distance to the nearest centre. 1 goes with Euclidean distances.
        distance: `"cosine"` is $2 - 2\cos$, from 0 to 4; `"euclidean"` is the squared distance.
    """

    temperature: float = 0.1
    distance: Distance = "cosine"
    info: ClassVar[Info] = Info(
        "Representation score", ("embeddings",), "reconstruction of Joshi et al., arXiv:2208.10787", fits=True
    )

    def __post_init__(self) -> None:
        require_temperature(self.temperature)
        if self.distance not in get_args(Distance):
            raise ScoreError(f"distance must be 'cosine' or 'euclidean'; got {self.distance!r}.")

    def fit(self, bank: Evidence | None = None, /) -> "RepresentationFitted":
        centers = given(bank).centers
        if centers is None:
            raise ScoreError(
                "The representation score needs trained class centres. Use a network trained with a semantic loss."
            )
        return RepresentationFitted(self.temperature, self.distance, centers.double())


@dataclass(frozen=True, slots=True)
class RepresentationFitted(Fitted):
    """The centres as they were trained."""

    temperature: float
    distance: Distance
    centers: Float64[Tensor, "k m"]

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        if outputs.embeddings is None:
            raise ScoreError("The representation score reads embeddings, and these outputs carry none.")
        return representation_score(
            outputs.embeddings.double(), self.centers, distance=self.distance, temperature=self.temperature
        )
