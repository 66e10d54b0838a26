"""Features as long as a block's FeatureNorm (Yu et al., CVPR 2023, arXiv:2212.02295; issue 2 of their repository)."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from jaxtyping import Float, Float64
from torch import Tensor
from torch.nn.functional import normalize

from oodcore.records import Evidence, Outputs
from oodcore.scorers import GradientFitted, Info, scorers
from oodcore.scorers._evidence import given
from oodcore.scorers._norms import norm_of
from oodcore.scorers._shaping import Shaped, fit_then, require_logit_scorer


@scorers.register
@dataclass(frozen=True, slots=True)
class SelectedNorm:
    r"""Logits of $\frac{z}{\lVert z \rVert_2} f^{FN}(x; B)$: direction of the penultimate features, norm of the block.

    Args:
        block: Which block, as in `feature_norm`.
        then: The scorer of the new logits; `"odin"` too.
    """

    block: int = -2
    then: str = "energy"
    info: ClassVar[Info] = Info(
        "Selected norm", ("features", "head", "norms"), "Yu et al., CVPR 2023, arXiv:2212.02295", fits=True
    )

    def __post_init__(self) -> None:
        require_logit_scorer(self.then, also=("gradients",))

    def fit(self, bank: Evidence | None = None, /) -> "SelectedNormFitted":
        bank = given(bank)
        then = fit_then(self.then, bank, bank.head, partial(resized, block=self.block))
        if isinstance(then, GradientFitted):
            return SelectedNormGradientFitted(bank.head, then, self.block)
        return SelectedNormFitted(bank.head, then, self.block)


@dataclass(frozen=True, slots=True)
class SelectedNormFitted(Shaped):
    """Nothing to learn but what follows."""

    block: int

    def shape(self, outputs: Outputs, /) -> Float64[Tensor, "n d"]:
        return resized(outputs, self.block)


@dataclass(frozen=True, slots=True)
class SelectedNormGradientFitted(SelectedNormFitted, GradientFitted):
    """The same before a score that looks again; the gradient passes through features and norms alike."""

    then: GradientFitted

    def objective(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        return self.then.objective(self.reshaped(outputs))

    def perturb(
        self, images: Float[Tensor, "n c h w"], gradient: Float[Tensor, "n c h w"], std: Float[Tensor, " c"], /
    ) -> Float[Tensor, "n c h w"]:
        return self.then.perturb(images, gradient, std)


def resized(outputs: Outputs, block: int) -> Float64[Tensor, "n d"]:
    """Features of the same direction and the block's norm; all zero where they have no direction."""
    return normalize(outputs.features.double(), dim=1) * norm_of(outputs, block)[:, None]
