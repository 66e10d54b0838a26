"""Exact nearest neighbours, and where a new row belongs on a map that was made without it."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

__all__ = ["K", "Placed", "neighbours", "place"]

K = 10
CHUNK = 512


class Placed(NamedTuple):
    """New rows on a finished map. The place says what a row is most like, not that it is like anything.

    `share` is therefore part of it: of all in-distribution rows, how many lie closer to their K-th neighbour of that
    kind than the new row does, 0..1. Near 1 the row is far from everything known, wherever it is drawn.
    """

    xy: Float[Tensor, "n 2"]
    distance: Float[Tensor, " n"]
    share: Float[Tensor, " n"]


def neighbours(
    rows: Float[Tensor, "n d"], among: Float[Tensor, "m d"], k: int, *, same: bool = False
) -> tuple[Int64[Tensor, "n k"], Float[Tensor, "n k"]]:
    """Numbers and Euclidean distances of the `k` nearest, nearest first; fewer where there are fewer.

    Args:
        rows: Whose neighbours.
        among: Where they are looked for.
        k: How many.
        same: Whether both are the same rows; none is then its own neighbour.
    """
    k = max(0, min(k, len(among) - int(same)))
    found, distances = [], []
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        apart = torch.cdist(part, among, compute_mode="donot_use_mm_for_euclid_dist")
        if same:
            own = torch.arange(len(part))
            apart[own, start + own] = torch.inf
        nearest = apart.topk(k, dim=1, largest=False)
        found.append(nearest.indices)
        distances.append(nearest.values)
    if not found:
        return torch.zeros(0, k, dtype=torch.int64), rows.new_zeros(0, k)
    return torch.cat(found), torch.cat(distances)


def place(
    new: Float[Tensor, "n d"],
    rows: Float[Tensor, "m d"],
    xy: Float[Tensor, "m 2"],
    known: Float[Tensor, "i d"],
    reach: Float[Tensor, " i"],
) -> Placed:
    """Put each new row among its neighbours: their mean place, the nearest counting most.

    Args:
        new: In the space of `rows`.
        rows: Those on the map.
        xy: Their places.
        known: The in-distribution ones.
        reach: How far the K-th neighbour of each of them is; see `Cloud.reach`.
    """
    found, apart = neighbours(new, rows, K)
    weights = apart.square().clamp_min(1e-12).reciprocal()
    weights = weights / weights.sum(1, keepdim=True)
    _, distances = neighbours(new, known, K)
    distance = distances[:, -1] if distances.shape[1] else distances.new_full((len(new),), torch.inf)
    share = (reach < distance[:, None]).float().mean(1) if len(reach) else torch.ones_like(distance)
    return Placed((weights[:, :, None] * xy[found]).sum(1), distance, share)
