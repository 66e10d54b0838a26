"""Arithmetic on logits, features and maps, shared by scorers and losses. Pure functions, any device, any float."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["feature_norm", "free_energy", "jsd_to_uniform"]


def free_energy(logits: Float[Tensor, "*rows k"], /, temperature: float = 1.0) -> Float[Tensor, "*rows"]:
    r"""$E(x;T) = -T \log\sum_j e^{f_j/T}$; LOW is in-distribution (Liu et al., NeurIPS 2020, eq. 4)."""
    return -temperature * (logits / temperature).logsumexp(dim=-1)


def jsd_to_uniform(logits: Float[Tensor, "*rows k"], /, temperature: float = 1.0) -> Float[Tensor, "*rows"]:
    r"""Jensen-Shannon divergence between softmax and uniform, in nats; 0 is uniform, below $\log 2$ always.

    In log space and at least float32: the probability form gives NaN once a probability underflows.
    Clamped at 0, below which rounding leads near-uniform rows (Grcić et al., arXiv:2112.12833).
    """
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    log_p = (logits / temperature).log_softmax(dim=-1)
    log_u = -math.log(logits.shape[-1])
    log_m = torch.logaddexp(log_p, log_p.new_tensor(log_u)) - math.log(2)
    inside = log_p.exp() * (log_p - log_m) + math.exp(log_u) * (log_u - log_m)
    return (0.5 * inside.sum(dim=-1)).clamp_min(0)


def feature_norm(maps: Float[Tensor, "n c h w"], /) -> Float[Tensor, " n"]:
    r"""$\frac1C\sum_c \lVert \max(z_c, 0) \rVert_2$ over space; HIGH is in-distribution (Yu et al., arXiv:2212.02295).

    ReLU first, as WRN's block outputs are sums with negative values. Values of different blocks do not compare.
    """
    return maps.relu().flatten(2).norm(dim=2).mean(dim=1)
