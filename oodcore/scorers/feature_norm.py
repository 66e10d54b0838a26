"""FeatureNorm of one block (Yu et al., CVPR 2023, arXiv:2212.02295)."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers
from oodcore.scorers._norms import norm_of


@scorers.register
@dataclass(frozen=True, slots=True)
class FeatureNorm:
    """The negative of one block's mean channel norm (`oodcore.functional.feature_norm`).

    Args:
        block: Which block, from 0, or from the end below 0. NormRatio selects one from training images and their
            jigsaws (`ood blocks`); the last but one, its choice for ResNet-18 and WRN-28-10, is what is left without.
    """

    block: int = -2
    info: ClassVar[Info] = Info("FeatureNorm", ("norms",), "Yu et al., CVPR 2023, arXiv:2212.02295", fits=False)

    def fit(self, bank: Evidence | None = None, /) -> "FeatureNormFitted":
        return FeatureNormFitted(self.block)


@dataclass(frozen=True, slots=True)
class FeatureNormFitted(Fitted):
    """Nothing to learn."""

    block: int

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        return -norm_of(outputs, self.block)
