"""Logit-adjusted cross-entropy for long-tailed training sets (Menon et al., ICLR 2021, arXiv:2007.07314)."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float, Float64, Int
from torch import Tensor
from torch.nn import functional as F

from oodcore.errors import ScoreError
from oodcore.losses import About, LogitObjective, Terms, losses
from oodcore.losses._hinges import require_range
from oodcore.metrics.inputs import Array
from oodcore.priors import log_shares

__all__ = ["LogitAdjusted", "LogitAdjustedObjective"]


@losses.register
@dataclass(frozen=True, slots=True)
class LogitAdjusted:
    r"""$\frac1n \sum -\log \mathrm{softmax}_y(f + \tau \log p)$ with the classes' shares $p$ of the training images.

    Rare classes must win by a wider margin in training, so at test time the raw logits are used. For a network that
    was trained without, `oodcore.priors.logit_adjust` corrects the logits afterwards. Do one or the other.

    Args:
        tau: $\tau \ge 0$; 0 is cross-entropy, 1 aims at the balanced error.

    Raises:
        ScoreError: a negative tau.
    """

    tau: float = 1.0
    about: ClassVar[About] = About(
        "Logit-adjusted cross-entropy",
        "Menon et al., ICLR 2021, arXiv:2007.07314, eq. 10",
        outliers=False,
        evidence="class prior",
    )

    def __post_init__(self) -> None:
        require_range(tau=self.tau)

    def fit(self, class_counts: Array | None = None, /) -> "LogitAdjustedObjective":
        """With the training images per class, shape (k,), in any positive scale.

        Raises:
            ScoreError: no counts, a class without images, or counts that are negative or not finite.
        """
        if class_counts is None:
            raise ScoreError("Logit adjustment needs the number of training images per class. Give the counts.")
        return LogitAdjustedObjective(self.tau * log_shares(class_counts))


@dataclass(frozen=True, slots=True)
class LogitAdjustedObjective(LogitObjective):
    """See `LogitAdjusted`. Outliers, if any, are not looked at."""

    lift: Float64[Tensor, " k"]

    def _terms(self, inside: Float[Tensor, "n k"], labels: Int[Tensor, " n"], outside: Float[Tensor, "m k"]) -> Terms:
        if inside.shape[1] != len(self.lift):
            raise ScoreError(
                f"The counts are of {len(self.lift)} classes, the network has {inside.shape[1]}. "
                "Count the images that it is trained on."
            )
        return {"cross_entropy": F.cross_entropy(inside + self.lift.to(inside), labels)}
