"""Energy guided by similarity to training features (Park et al., ICCV 2023, arXiv:2309.14888, eq. 5-7)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor

from oodcore.functional import free_energy
from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers
from oodcore.scorers._evidence import sampled
from oodcore.scorers._nearest import best_matches, directions
from oodcore.scorers.knn import require_neighbours


@scorers.register
@dataclass(frozen=True, slots=True)
class NNGuide:
    r"""$-E(x)\cdot\frac1k\sum_{i \in N_k(x)} E_i \cos(f(x), f_i)$ with $E = \log\sum_j e^{f_j}$.

    $N_k$ are the bank rows with the largest $E_i \cos$.

    Args:
        k: Neighbours averaged over, from 1; all rows where the bank is smaller.
        max_rows: A larger bank is thinned evenly, as in `knn`; the paper keeps 1 % of ImageNet.
    """

    k: int = 10
    max_rows: int = 50_000
    info: ClassVar[Info] = Info(
        "NNGuide", ("logits", "features"), "Park et al., ICCV 2023, arXiv:2309.14888, eq. 5-7", fits=True
    )

    def fit(self, bank: Evidence | None = None, /) -> "NNGuideFitted":
        require_neighbours(self.k, self.max_rows)
        kept = [part.outputs for part in sampled(bank, 1, self.max_rows)]
        energy = torch.cat([-free_energy(part.logits.double()) for part in kept])
        return NNGuideFitted(self.k, torch.cat([directions(part.features) for part in kept]), energy)


@dataclass(frozen=True, slots=True)
class NNGuideFitted(Fitted):
    """Unit vectors of the bank and their energies."""

    k: int
    rows: Float32[Tensor, "m d"]
    energy: Float64[Tensor, " m"]

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        queries, k = directions(outputs.features), min(self.k, len(self.rows))
        scaled = self.rows * self.energy.float()[:, None]
        guidance = [values.double().mean(1) for _, values, _ in best_matches(queries, scaled, k)]
        return torch.cat(guidance or [self.energy.new_empty(0)]) * free_energy(outputs.logits.double())
