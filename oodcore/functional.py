"""Arithmetic on logits, features and maps, shared by scorers and losses. Pure functions, any device, any float."""

import math
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid, normalize, one_hot, softplus

from oodcore.errors import ScoreError

__all__ = [
    "Distance",
    "Reading",
    "cluster_focal",
    "feature_norm",
    "free_energy",
    "joint_energy",
    "jsd_to_uniform",
    "kl_from_uniform",
    "representation_score",
    "squared_distances",
    "wide",
]

Distance = Literal["cosine", "euclidean"]
Reading = Literal["A", "B", "C"]
SIMILARITY_SCALE, SIMILARITY_SHIFT = 10.0, 0.5  # of reading C of the cluster focal loss


def free_energy(logits: Float[Tensor, "*rows k"], temperature: float = 1.0) -> Float[Tensor, "*rows"]:
    r"""$E(x;T) = -T \log\sum_j e^{f_j/T}$; LOW is in-distribution (Liu et al., NeurIPS 2020, eq. 4)."""
    return -temperature * (logits / temperature).logsumexp(dim=-1)


def jsd_to_uniform(logits: Float[Tensor, "*rows k"], temperature: float = 1.0) -> Float[Tensor, "*rows"]:
    r"""Jensen-Shannon divergence between softmax and uniform, in nats; 0 is uniform, below $\log 2$ always.

    In log space and at least float32: the probability form gives NaN once a probability underflows.
    Clamped at 0, below which rounding leads near-uniform rows (Grcić et al., arXiv:2112.12833).
    """
    logits = wide(logits)
    log_p = (logits / temperature).log_softmax(dim=-1)
    log_u = -math.log(logits.shape[-1])
    log_m = torch.logaddexp(log_p, log_p.new_tensor(log_u)) - math.log(2)
    inside = log_p.exp() * (log_p - log_m) + math.exp(log_u) * (log_u - log_m)
    return (0.5 * inside.sum(dim=-1)).clamp_min(0)


def kl_from_uniform(logits: Float[Tensor, "*rows k"], temperature: float = 1.0) -> Float[Tensor, "*rows"]:
    r"""$KL(U \,\|\, p) = \mathrm{logsumexp}(f/T) - \overline{f/T} - \log k$ in nats, from 0 on without bound.

    Outlier exposure minimises it on outliers, up to its constant $\log k$ (Hendrycks et al., ICLR 2019, §4.3).
    """
    scaled = wide(logits) / temperature
    return (scaled.logsumexp(dim=-1) - scaled.mean(dim=-1) - math.log(logits.shape[-1])).clamp_min(0)


def joint_energy(logits: Float[Tensor, "*rows k"]) -> Float[Tensor, "*rows"]:
    r"""$-\sum_j \log(1 + e^{f_j})$, for classes that do not exclude each other; LOW is in-distribution.

    Wang et al., NeurIPS 2021, arXiv:2109.14162, eq. 6.
    """
    return -softplus(logits).sum(dim=-1)


def feature_norm(maps: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    r"""$\frac1C\sum_c \lVert \max(z_c, 0) \rVert_2$ over space; HIGH is in-distribution (Yu et al., arXiv:2212.02295).

    ReLU first, as WRN's block outputs are sums with negative values. Values of different blocks do not compare.
    """
    return maps.relu().flatten(2).norm(dim=2).mean(dim=1)


def cluster_focal(
    embeddings: Float[Tensor, "n m"],
    labels: Int[Tensor, " n"],
    centers: Float[Tensor, "k m"],
    *,
    reading: Reading = "A",
    distance: Distance = "cosine",
    temperature: float = 0.1,
    gamma: float = 2.0,
    pull: float = 0.5,
) -> Float[Tensor, ""]:
    r"""Focal loss on class centres, mean over rows: reconstructed, not published (Joshi et al., arXiv:2208.10787).

    With distances $D_k$ and posterior $q = \mathrm{softmax}(-D/\tau)$, three readings of the abstract:

    - A: $-(1-q_y)^\gamma \log q_y + \eta D_y$. Without the pull $\eta$ clusters do not become compact.
    - B: $(1-q_y)^\gamma D_y$ with the weight detached, else raising $q_y$ alone would lower it. Separates no classes.
    - C: focal binary cross-entropy of every centre against the rest, summed over centres, on the logits
      $10 (\cos_k - 0.5)$.

    In at least float32, autocast or not. No rows give 0 with a graph, so that a batch without objects can be trained.

    Args:
        embeddings: One per row.
        labels: In 0..k-1.
        centers: One per class, in the embeddings' space.
        reading: See above.
        distance: "cosine" is $2 - 2\cos$ in [0, 4], "euclidean" the raw squared distance. C knows only cosine.
        temperature: $\tau > 0$ (A and B).
        gamma: $\gamma \ge 0$; 0 is cross-entropy.
        pull: $\eta \ge 0$ (A).

    Raises:
        ScoreError: an unknown reading or distance, or a number out of its range.
    """
    if temperature <= 0 or gamma < 0 or pull < 0:
        raise ScoreError(
            f"temperature must be above 0, gamma and pull at least 0; got {temperature}, {gamma} and {pull}."
        )
    with torch.autocast(embeddings.device.type, enabled=False):
        rows, means = wide(embeddings), wide(centers)
        if not len(rows):
            return 0 * (rows.sum() + means.sum())
        if reading == "C":
            return _one_against_all(rows, labels, means, distance, gamma)
        gaps = squared_distances(rows, means, distance)
        own = gaps.gather(1, labels[:, None].long())
        log_q = (-gaps / temperature).log_softmax(dim=1).gather(1, labels[:, None].long())
        weight = _focus(log_q, gamma)
        if reading == "A":
            return (pull * own - weight * log_q).mean()
        if reading == "B":
            return (weight.detach() * own).mean()
    raise ScoreError(f"reading must be 'A', 'B' or 'C'; got {reading!r}.")


def representation_score(
    embeddings: Float[Tensor, "n m"],
    centers: Float[Tensor, "k m"],
    *,
    distance: Distance = "cosine",
    temperature: float = 0.1,
) -> Float[Tensor, " n"]:
    r"""$R(x) = -\tau \log\sum_k e^{-D_k/\tau}$, a free energy over class centres; LOW is in-distribution.

    A soft minimum: at most the distance to the nearest centre, and that distance as τ goes to 0. In at least float32,
    autocast or not. Reconstructed, not published (Joshi et al., arXiv:2208.10787).

    Args:
        embeddings: One per row.
        centers: One per class, in the embeddings' space.
        distance: As in `cluster_focal`.
        temperature: $\tau > 0$.

    Raises:
        ScoreError: an unknown distance.
    """
    with torch.autocast(embeddings.device.type, enabled=False):
        return free_energy(-squared_distances(wide(embeddings), wide(centers), distance), temperature)


def squared_distances(rows: Float[Tensor, "n m"], centers: Float[Tensor, "k m"], distance: str) -> Float[Tensor, "n k"]:
    r"""$2 - 2\cos$ in [0, 4], or the squared Euclidean distance without the cancellation that products would bring.

    Raises:
        ScoreError: an unknown distance.
    """
    if distance == "cosine":
        return (2 - 2 * _cosines(rows, centers)).clamp(0, 4)
    if distance == "euclidean":
        return torch.cdist(rows, centers, compute_mode="donot_use_mm_for_euclid_dist").square()
    raise ScoreError(f"distance must be 'cosine' or 'euclidean'; got {distance!r}.")


def wide(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Half precision as float32; the rest as it is."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def _cosines(rows: Float[Tensor, "n m"], centers: Float[Tensor, "k m"]) -> Float[Tensor, "n k"]:
    return normalize(rows, dim=1, eps=1e-6) @ normalize(centers, dim=1, eps=1e-6).mT


def _focus(log_p: Float[Tensor, "*rows"], gamma: float) -> Float[Tensor, "*rows"]:
    r"""$(1-p)^\gamma$, exact near p = 1; below γ = 1 its slope at 0 is infinite, so the base stays above 0."""
    miss = -log_p.expm1()
    return (miss.clamp_min(1e-8) if gamma < 1 else miss).pow(gamma)


def _one_against_all(
    rows: Float[Tensor, "n m"], labels: Int[Tensor, " n"], centers: Float[Tensor, "k m"], distance: str, gamma: float
) -> Float[Tensor, ""]:
    if distance != "cosine":
        raise ScoreError(
            f"Reading C is defined on cosines; got distance {distance!r}. Use 'cosine', or reading A or B."
        )
    logits = SIMILARITY_SCALE * (_cosines(rows, centers) - SIMILARITY_SHIFT)
    own = one_hot(labels.long(), len(centers)).bool()
    log_p = logsigmoid(torch.where(own, logits, -logits))
    return -(_focus(log_p, gamma) * log_p).sum(dim=1).mean()
