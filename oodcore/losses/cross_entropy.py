"""Cross-entropy alone: how a network is trained before it meets outliers."""

from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from oodcore.losses import About, LogitObjective, Terms, losses

__all__ = ["CrossEntropy", "CrossEntropyObjective"]


@losses.register
@dataclass(frozen=True, slots=True)
class CrossEntropy:
    r"""$\frac1n \sum -\log s_y(x)$."""

    about: ClassVar[About] = About("Cross-entropy", "textbook", outliers=False, evidence="nothing")

    def fit(self, evidence: Any = None, /) -> "CrossEntropyObjective":
        return CrossEntropyObjective()


@dataclass(frozen=True, slots=True)
class CrossEntropyObjective(LogitObjective):
    """Outliers, if any, are not looked at."""

    def _terms(self, inside: Float[Tensor, "n k"], labels: Int[Tensor, " n"], outside: Float[Tensor, "m k"]) -> Terms:
        return {"cross_entropy": F.cross_entropy(inside, labels)}
