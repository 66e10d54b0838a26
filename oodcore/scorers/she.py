"""Agreement with the stored pattern of the predicted class (Zhang et al., ICLR 2023, openreview KkazG4lgKL, eq. 10)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers
from oodcore.scorers._evidence import given, pieces
from oodcore.scorers.mahalanobis import require_all_classes


@scorers.register
@dataclass(frozen=True, slots=True)
class SHE:
    r"""$-f^\top S_{\hat y}$, $S_c$ being the mean of class $c$'s correctly classified rows.

    A class of which no row is classified correctly takes the mean of all its rows.
    """

    info: ClassVar[Info] = Info("SHE", ("logits", "features"), "Zhang et al., ICLR 2023, eq. 10", fits=True)

    def fit(self, bank: Evidence | None = None, /) -> "SHEFitted":
        weight = given(bank).head.weight
        sums = torch.zeros(2, *weight.shape, dtype=torch.float64, device=weight.device)
        counts = torch.zeros(2, len(weight), dtype=torch.float64, device=weight.device)
        for part in pieces(bank):
            right = part.outputs.logits.argmax(dim=1) == part.labels
            for row, chosen in enumerate((right, ~right)):
                labels = part.labels[chosen]
                sums[row].index_add_(0, labels, part.outputs.features[chosen].double())
                counts[row] += labels.bincount(minlength=len(weight))
        require_all_classes(counts.sum(0))
        best = torch.where(counts[0, :, None] > 0, sums[0], sums[1])
        return SHEFitted(best / torch.where(counts[0] > 0, counts[0], counts[1])[:, None])


@dataclass(frozen=True, slots=True)
class SHEFitted(Fitted):
    """One pattern per class."""

    patterns: Float64[Tensor, "k d"]

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        return -(outputs.features.double() * self.patterns[outputs.logits.argmax(dim=1)]).sum(1)
