"""Which rows a map shows, and the spaces in which they lie: penultimate features, and embeddings where trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import normalize

from oodcore.functional import Distance
from oodcore.maps.neighbours import K, neighbours
from oodcore.records import Bank

__all__ = ["MOST_POINTS", "Cloud", "Space", "clouds", "known_set", "mapped_rows", "measured"]

Space = Literal["features", "embeddings"]
MOST_POINTS = 4096  # beyond, UMAP compiles its search for neighbours anew in each process, which takes a minute


@dataclass(frozen=True)
class Cloud:
    """Rows of one space, such that Euclidean distances between them are the ones that count.

    Args:
        rows: Of all sets, one after the other; unit vectors where the space is measured by cosines.
        labels: Class of each in-distribution row; -1 for all others.
        centers: Trained class centres, or the mean of each class's rows.
        owners: The class of each centre.
        trained: Whether the centres were trained.
    """

    rows: Float[Tensor, "n d"]
    labels: Int64[Tensor, " n"]
    centers: Float[Tensor, "c d"]
    owners: Int64[Tensor, " c"]
    trained: bool

    @cached_property
    def known(self) -> Float[Tensor, "m d"]:
        """The in-distribution rows."""
        return self.rows[self.labels >= 0]

    @cached_property
    def reach(self) -> Float[Tensor, " m"]:
        """Of each in-distribution row, how far its K-th neighbour of that kind is."""
        found, distances = neighbours(self.known, self.known, K, same=True)
        return distances[:, -1] if found.shape[1] else distances.new_zeros(len(distances))


def known_set(reference: Mapping[str, Bank]) -> str | None:
    """The in-distribution set: the first whose rows all have a class."""
    return next((name for name, bank in reference.items() if len(bank) and bool((bank.labels >= 0).all())), None)


def mapped_rows(reference: Mapping[str, Bank], most: int = MOST_POINTS) -> dict[str, Int64[Tensor, " rows"]]:
    """Rows of each set for one map, evenly spread: the in-distribution set first, the others share what is left.

    Args:
        reference: Set → its rows.
        most: Of all rows and class centres together.
    """
    if not reference:
        return {}
    left = most - max(len(bank.head.bias) for bank in reference.values())
    known = known_set(reference)
    order = sorted(reference, key=lambda name: name != known)
    found = {}
    for position, name in enumerate(order):
        share = left // 2 if name == known and len(order) > 1 else left // (len(order) - position)
        n = len(reference[name])
        taken = min(n, max(share, 1))
        found[name] = torch.arange(taken) * n // max(taken, 1)
        left -= taken
    return found


def clouds(
    reference: Mapping[str, Bank], rows: Mapping[str, Int64[Tensor, " rows"]], distance: Distance = "cosine"
) -> dict[Space, Cloud]:
    """The spaces that a checkpoint has.

    Args:
        reference: Set → its rows.
        rows: Set → those on the map, as `mapped_rows` chooses them; the clouds keep this order.
        distance: With which the class centres of embeddings were trained.
    """
    known = known_set(reference)
    parts = {name: reference[name].take(chosen) for name, chosen in rows.items()}
    if not parts:
        return {}
    labels = torch.cat(
        [part.labels if name == known else torch.full_like(part.labels, -1) for name, part in parts.items()]
    )
    features = torch.cat([part.outputs.features.float() for part in parts.values()])
    found: dict[Space, Cloud] = {"features": Cloud(features, labels, *class_means(features, labels), trained=False)}
    embedded = [part.outputs.embeddings for part in parts.values()]
    centers = next(iter(parts.values())).centers
    if centers is not None and all(part is not None for part in embedded):
        joined = torch.cat([part.float() for part in embedded if part is not None])
        found["embeddings"] = Cloud(
            measured(joined, distance),
            labels,
            measured(centers.float(), distance),
            torch.arange(len(centers)),
            trained=True,
        )
    return found


def measured(rows: Float[Tensor, "n d"], distance: Distance) -> Float[Tensor, "n d"]:
    r"""Such that squared Euclidean distances are the wanted ones; on the unit sphere they are $2 - 2\cos$."""
    return normalize(rows, dim=1, eps=1e-6) if distance == "cosine" else rows


def class_means(
    rows: Float[Tensor, "n d"], labels: Int64[Tensor, " n"]
) -> tuple[Float[Tensor, "c d"], Int64[Tensor, " c"]]:
    """The mean of each class that has rows, and which class it is."""
    owners = labels[labels >= 0].unique()
    means = [rows[labels == owner].mean(0) for owner in owners]
    return (torch.stack(means) if means else rows.new_zeros(0, rows.shape[1])), owners
