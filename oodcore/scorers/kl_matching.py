"""Divergence from the nearest typical posterior (Hendrycks et al., ICML 2022, arXiv:1911.11132)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers
from oodcore.scorers._evidence import given, pieces
from oodcore.scorers._softmax import log_softmax


@scorers.register
@dataclass(frozen=True, slots=True)
class KLMatching:
    r"""$\min_c \mathrm{KL}(p \,\Vert\, d_c)$, $d_c$ the mean posterior of the bank's rows predicted as $c$.

    A class that no row of the bank is predicted as has no typical posterior and takes no part in the minimum.
    """

    info: ClassVar[Info] = Info("KL matching", ("logits",), "Hendrycks et al., ICML 2022, arXiv:1911.11132", fits=True)

    def fit(self, bank: Evidence | None = None, /) -> "KLMatchingFitted":
        weight = given(bank).head.weight
        k = len(weight)
        sums = torch.zeros(k, k, dtype=torch.float64, device=weight.device)
        counts = torch.zeros(k, dtype=torch.int64, device=weight.device)
        for part in pieces(bank):
            predicted = part.outputs.logits.argmax(dim=1)
            sums.index_add_(0, predicted, log_softmax(part.outputs.logits).exp())
            counts += predicted.bincount(minlength=k)
        seen = counts > 0
        return KLMatchingFitted((sums[seen] / counts[seen, None]).clamp_min(torch.finfo(sums.dtype).tiny).log())


@dataclass(frozen=True, slots=True)
class KLMatchingFitted(Fitted):
    """Logarithms of the typical posteriors, one row per class that was predicted."""

    log_typical: Float64[Tensor, "seen k"]

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        log_p = log_softmax(outputs.logits)
        p = log_p.exp()
        inside = (p * log_p).sum(dim=1, keepdim=True)
        return (inside - p @ self.log_typical.mT).amin(dim=1)
