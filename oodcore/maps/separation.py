"""How compact the classes are and how far apart, measured in the space itself, never on the map."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import one_hot

from oodcore.maps.cloud import Cloud

__all__ = ["Separation", "nearest_center", "separation", "silhouette"]


class Separation(NamedTuple):
    """Of the in-distribution rows of a space; distances are Euclidean.

    Args:
        silhouette: Mean silhouette by class, -1..1: HIGH is compact and separate (Rousseeuw, 1987).
        intra: Mean distance to the centre of the own class: LOW is compact.
        inter: Mean distance between centres: HIGH is separate. Depends on the scale of the space, as `intra` does.
        ratio: `inter / intra`, which does not: HIGH is good.
        own: Share of rows whose nearest centre is that of their class: HIGH is good.
    """

    silhouette: float
    intra: float
    inter: float
    ratio: float
    own: float


def separation(cloud: Cloud) -> Separation | None:
    """None where there are not two classes with rows, or not more rows than classes."""
    labels = cloud.labels[cloud.labels >= 0]
    classes = labels.unique()
    if not 2 <= len(classes) < len(labels):
        return None
    nearest, _ = nearest_center(cloud.known, cloud)
    own = torch.searchsorted(cloud.owners, labels)
    intra = float((cloud.known - cloud.centers[own]).norm(dim=1).mean())
    inter = float(torch.pdist(cloud.centers).mean())
    return Separation(
        silhouette=silhouette(cloud.known, torch.searchsorted(classes, labels)),
        intra=intra,
        inter=inter,
        ratio=inter / intra if intra else float("inf"),
        own=float((nearest == labels).float().mean()),
    )


def silhouette(rows: Float[Tensor, "n d"], labels: Int64[Tensor, " n"]) -> float:
    r"""Mean of $(b - a) / \max(a, b)$: mean distance to the own class, and to the nearest other; 0 for a class of one.

    Args:
        rows: At least two classes of them.
        labels: Counting from 0 without gaps.
    """
    member = one_hot(labels).to(rows)
    counts, own = member.sum(0), labels[:, None]
    sums = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist") @ member
    inside = sums.gather(1, own).squeeze(1) / (counts[labels] - 1).clamp_min(1)
    outside = (sums / counts).scatter(1, own, torch.inf).amin(1)
    values = (outside - inside) / torch.maximum(inside, outside).clamp_min(torch.finfo(rows.dtype).tiny)
    return float(values.where(counts[labels] > 1, torch.zeros_like(values)).mean())


def nearest_center(rows: Float[Tensor, "n d"], cloud: Cloud) -> tuple[Int64[Tensor, " n"], Float[Tensor, " n"]]:
    """The class of the nearest centre and its distance; -1 and infinity where the cloud has none."""
    if not len(cloud.centers):
        return torch.full((len(rows),), -1), rows.new_full((len(rows),), torch.inf)
    apart = torch.cdist(rows, cloud.centers, compute_mode="donot_use_mm_for_euclid_dist").min(dim=1)
    return cloud.owners[apart.indices], apart.values
