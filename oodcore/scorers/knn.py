"""Distance to the k-th nearest training feature on the unit sphere (Sun et al., ICML 2022, arXiv:2204.06507)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers
from oodcore.scorers._evidence import sampled
from oodcore.scorers._nearest import best_matches, directions

CLOSE = 1e-2
"""Squared distance below which the products' rounding, some 1e-7, is felt."""


@scorers.register
@dataclass(frozen=True, slots=True)
class KNN:
    r"""$\lVert z - z_{(k)} \rVert_2$ with $z = f / \lVert f \rVert_2$, from 0 to 2.

    Args:
        k: Which neighbour, from 1; the last one where the bank is smaller. 50 is the paper's for CIFAR-10.
        max_rows: A larger bank is thinned evenly, every s-th row, to at most this many. They are what a saved panel
            consists of.
    """

    k: int = 50
    max_rows: int = 50_000
    info: ClassVar[Info] = Info("KNN", ("features",), "Sun et al., ICML 2022, arXiv:2204.06507, eq. 3", fits=True)

    def fit(self, bank: Evidence | None = None, /) -> "KNNFitted":
        require_neighbours(self.k, self.max_rows)
        kept = sampled(bank, 1, self.max_rows)
        return KNNFitted(self.k, torch.cat([directions(part.outputs.features) for part in kept]))


@dataclass(frozen=True, slots=True)
class KNNFitted(Fitted):
    """Unit vectors of the bank."""

    k: int
    rows: Float32[Tensor, "m d"]

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        queries, k = directions(outputs.features), min(self.k, len(self.rows))
        found = [_farthest(piece, self.rows, *best) for piece, *best in best_matches(queries, self.rows, k)]
        return torch.cat(found or [queries.new_empty(0)]).double().sqrt()


def _farthest(
    queries: Float32[Tensor, "q d"],
    bank: Float32[Tensor, "m d"],
    products: Float32[Tensor, "q k"],
    rows: Int64[Tensor, "q k"],
) -> Float32[Tensor, " q"]:
    """Squared distance to the farthest of each query's rows, by differences: 2 - 2cos loses small distances.

    Where all of them are close, rounding of the products does not tell which is the farthest, so each is measured.
    """
    last = rows.gather(1, products.argmin(1, keepdim=True))[:, 0]
    found = (queries - bank[last]).square().sum(1)
    for some in (found < CLOSE).nonzero().flatten().split(64):
        found[some] = (queries[some, None] - bank[rows[some]]).square().sum(2).amax(1)
    return found


def require_neighbours(k: int, max_rows: int, /) -> None:
    """Both count rows.

    Raises:
        ScoreError: one of them is below 1.
    """
    if k < 1 or max_rows < 1:
        raise ScoreError(f"k and max_rows count rows and must be at least 1; got k={k}, max_rows={max_rows}.")
