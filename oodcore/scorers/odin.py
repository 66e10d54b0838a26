"""Softmax at a high temperature, after a small step towards it (Liang, Li and Srikant, ICLR 2018, arXiv:1706.02690)."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Evidence, Outputs
from oodcore.scorers import GradientFitted, Info, scorers
from oodcore.scorers._softmax import surprisal


@scorers.register
@dataclass(frozen=True, slots=True)
class ODIN:
    r"""$-\log \max_j p_j(\tilde x; T)$ of $\tilde x = x + \varepsilon\,\mathrm{sign}\,\nabla_x \log \max_j p_j(x; T)$.

    The step raises the largest probability, of in-distribution images more than of others.

    Args:
        temperature: $T > 0$.
        epsilon: Length of the step in every pixel, where pixels run from 0 to 1.
        per_channel_std: Divide the step by what normalisation divided the channel by, so that `epsilon` means pixels.
            Off, it is a step in normalised images.
    """

    temperature: float = 1000.0
    epsilon: float = 0.0014
    per_channel_std: bool = True
    info: ClassVar[Info] = Info(
        "ODIN", ("logits", "gradients"), "Liang et al., ICLR 2018, arXiv:1706.02690, eq. 1 and 2", fits=False
    )

    def __post_init__(self) -> None:
        if not (0 < self.temperature < float("inf") and self.epsilon >= 0):
            raise ScoreError(f"ODIN needs temperature > 0 and epsilon >= 0; got {self.temperature} and {self.epsilon}.")

    def fit(self, bank: Evidence | None = None, /) -> "ODINFitted":
        return ODINFitted(self.temperature, self.epsilon, self.per_channel_std)


@dataclass(frozen=True, slots=True)
class ODINFitted(GradientFitted):
    """Nothing to learn."""

    temperature: float
    epsilon: float
    per_channel_std: bool

    def objective(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        return -surprisal(outputs.logits, self.temperature)

    def perturb(
        self, images: Float[Tensor, "n c h w"], gradient: Float[Tensor, "n c h w"], std: Float[Tensor, " c"], /
    ) -> Float[Tensor, "n c h w"]:
        step = self.epsilon * gradient.sign()
        return images + (step / std[:, None, None] if self.per_channel_std else step)

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        return surprisal(outputs.logits, self.temperature)
