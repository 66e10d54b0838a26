"""Means over the rows of all processes, with the gradient of the whole."""

import torch
from jaxtyping import Float
from torch import Tensor, distributed

__all__ = ["weighted_mean"]

SMALLEST = 1e-12  # the weights of a batch may all be zero: a prior with empty classes


def weighted_mean(values: Float[Tensor, " n"], weights: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    r"""$\sum w v / \sum w$ over the rows of every process, differentiable in both; 0 where no weight is left.

    Data-parallel training averages gradients over processes. So each one contributes its own rows' part of the whole
    gradient, times the number of processes.
    """
    top, bottom = (weights * values).sum(), weights.sum()
    if not (distributed.is_available() and distributed.is_initialized()):
        return top / bottom.clamp_min(SMALLEST)
    sums = torch.stack([top.detach(), bottom.detach()])
    distributed.all_reduce(sums)
    below = sums[1].clamp_min(SMALLEST)
    mean = sums[0] / below
    own = top - mean.where(sums[1] > SMALLEST, 0.0) * bottom  # where the sum is clamped it does not move
    return mean + distributed.get_world_size() * (own - own.detach()) / below
