"""Rare classes against outliers: the contrastive part of PASCL (Wang et al., ICML 2022).

In long-tailed training, images of rare classes are what a network confuses with outliers. Their embeddings are drawn to
those of the same class and away from outliers. It needs two views of each image and embeddings, not logits, so it is no
registered loss. Formula after the released code (github.com/amazon-science/long-tailed-ood-detection at e578f44).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from oodcore.errors import ScoreError

__all__ = ["anchor_losses", "tail_contrastive", "tail_start", "tail_weights"]


def tail_contrastive(
    view1: Float[Tensor, "n m"],
    view2: Float[Tensor, "n m"],
    ood: Float[Tensor, "o m"],
    labels: Int[Tensor, " n"],
    *,
    temperature: float,
    tail_start: int,
    weights: Float[Tensor, " k"] | None = None,
) -> Float[Tensor, ""]:
    r"""Mean over anchors $i$ of $-\frac{w}{|P_i|} \sum_{p \in P_i} \log \mathrm{softmax}_p(\cos(z_i, \cdot) / T)$.

    Anchors are both views of images of rare classes. The softmax runs over all other anchors and all outliers, $P_i$
    are the other anchors of the same class. Without an image of a rare class it is 0, with a graph.

    Args:
        view1: Embeddings of one view, of any length: normalised here.
        view2: Of the other view, in the same order.
        ood: Of outliers; they only repel.
        labels: Classes of the images, the frequent ones first.
        temperature: $T > 0$; published: 0.07 (CIFAR-10), 0.2 (CIFAR-100).
        tail_start: First of the rare classes; see the function of that name.
        weights: $w$, one per class; None is 1. See `tail_weights`.

    Raises:
        ScoreError: a temperature that is not above 0.
    """
    if not 0 < temperature < float("inf"):
        raise ScoreError(f"temperature must be above 0; got {temperature:g}.")
    rare = labels >= tail_start
    classes = labels[rare].repeat(2)
    if not len(classes):
        return 0 * (view1.sum() + view2.sum() + ood.sum())
    lost = anchor_losses(torch.cat([view1[rare], view2[rare]]), classes, ood, temperature)
    return lost.mean() if weights is None else (weights.to(lost)[classes] * lost).mean()


def anchor_losses(
    anchors: Float[Tensor, "a m"], classes: Int[Tensor, " a"], ood: Float[Tensor, "o m"], temperature: float
) -> Float[Tensor, " a"]:
    """What `tail_contrastive` averages. Every anchor needs another one of its class."""
    rows = normalize(torch.cat([anchors, ood]), dim=1)
    itself = torch.eye(len(anchors), len(rows), dtype=torch.bool, device=rows.device)
    likeness = (rows[: len(anchors)] @ rows.mT / temperature).masked_fill(itself, -torch.inf)
    own = (classes[:, None] == classes) & ~itself[:, : len(anchors)]
    log_p = likeness.log_softmax(dim=1)[:, : len(anchors)]
    return -log_p.where(own, 0.0).sum(dim=1) / own.sum(dim=1)


def tail_start(classes: int, share: float = 0.4) -> int:
    """First of the rare classes when `share` of all are called rare: 6 of 10, 60 of 100."""
    return round((1 - share) * classes)


def tail_weights(classes: int, share: float = 0.4) -> Float[Tensor, " k"]:
    """+1 for the rare classes, -1 for the others, as released; inside the tail it changes nothing."""
    return torch.sign(torch.linspace(-1, 1, classes) - (1 - 2 * share - 0.001))
