"""Alignment with the predicted class's weights, plus feature norm (Liu & Qin, CVPR 2025, arXiv:2311.01479, eq. 7).

Default `alpha` from OpenOOD at 13d8964, configs/postprocessors/nci.yml.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers
from oodcore.scorers._evidence import given


@scorers.register
@dataclass(frozen=True, slots=True)
class NCI:
    r"""$-\frac{(z-\mu)^\top w_{\hat y}}{\lVert z-\mu \rVert} - \alpha \lVert z \rVert_1$.

    Under neural collapse in-distribution features point along their class's weights and lie away from the origin.

    Args:
        alpha: At least 0, weight of the norm; 0 leaves it out.
    """

    alpha: float = 1e-4
    info: ClassVar[Info] = Info(
        "NCI", ("logits", "features", "head"), "Liu & Qin, CVPR 2025, arXiv:2311.01479, eq. 7", fits=True
    )

    def __post_init__(self) -> None:
        if not 0 <= self.alpha < math.inf:
            raise ScoreError(f"NCI needs a finite alpha of at least 0; got {self.alpha}.")

    def fit(self, bank: Evidence | None = None, /) -> "NCIFitted":
        return NCIFitted(self.alpha, given(bank).moments.mean, given(bank).head.weight.to(torch.float64, copy=True))


@dataclass(frozen=True, slots=True)
class NCIFitted(Fitted):
    """Mean feature and the head's rows."""

    alpha: float
    mean: Float64[Tensor, " d"]
    weight: Float64[Tensor, "k d"]

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        features = outputs.features.double()
        centred = features - self.mean
        aligned = (centred * self.weight[outputs.logits.argmax(dim=1)]).sum(1)
        length = centred.norm(dim=1).clamp_min(torch.finfo(torch.float32).eps)
        return -aligned / length - self.alpha * features.abs().sum(1)
