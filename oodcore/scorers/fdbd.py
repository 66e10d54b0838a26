"""Relative mean distance to the decision boundaries (Liu & Qin, ICML 2024, arXiv:2312.11536)."""

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
class FDBD:
    r"""$-\frac{1}{(k-1)\lVert z-\mu \rVert} \sum_{c\neq\hat y} \frac{f_{\hat y}-f_c}{\lVert w_{\hat y}-w_c \rVert}$.

    The distance from the feature $z$ to each boundary of its class, relative to that from the mean feature $\mu$.
    """

    info: ClassVar[Info] = Info(
        "fDBD", ("logits", "features", "head"), "Liu & Qin, ICML 2024, arXiv:2312.11536, eq. 6", fits=True
    )

    def fit(self, bank: Evidence | None = None, /) -> "FDBDFitted":
        weight = given(bank).head.weight.double()
        if len(weight) < 2:
            raise ScoreError("There is no decision boundary with a single class. Use 'energy'.")
        gaps = torch.stack([(weight - row).norm(dim=1) for row in weight])
        # Equal rows, the diagonal among them, have no boundary between them: nothing is added for such a pair.
        return FDBDFitted(given(bank).moments.mean, gaps.masked_fill(gaps == 0, torch.inf))


@dataclass(frozen=True, slots=True)
class FDBDFitted(Fitted):
    """Mean feature, and distances between the head's rows."""

    mean: Float64[Tensor, " d"]
    gaps: Float64[Tensor, "k k"]

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        logits = outputs.logits.double()
        top, predicted = logits.max(dim=1)
        boundaries = ((top[:, None] - logits) / self.gaps[predicted]).sum(1) / (logits.shape[1] - 1)
        deviation = (outputs.features.double() - self.mean).norm(dim=1)
        return -boundaries / deviation.clamp_min(torch.finfo(torch.float32).eps)
