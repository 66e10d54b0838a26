"""Which block's FeatureNorm to read: NormRatio of images over their own jigsaws (Yu et al., arXiv:2212.02295).

A block that sees the whole object answers a picture more strongly than its shuffled tiles; the block where the mean
ratio is largest is selected. No outliers are needed. Both versions are normalised, as in training; the published code
feeds the network images in 0..1 here.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float64, UInt8
from torch import Tensor

from oodcore.data import ImageSet, jigsaw, random_permutations
from oodcore.errors import DataError, ScoreError
from oodcore.models import Network

__all__ = ["NormRatios", "norm_ratios"]

EPSILON = 1e-12  # a jigsaw may silence a block; the published code divides by 0 there


class NormRatios(NamedTuple):
    """One ratio per block; above 1 the block prefers whole pictures to shuffled ones."""

    blocks: tuple[str, ...]
    values: Float64[Tensor, " blocks"]
    silent: int
    """How many pairs of image and block had a jigsaw of norm 0; they are left out."""

    @property
    def selected(self) -> int:
        """Index of the largest ratio."""
        return int(self.values.argmax())


@torch.no_grad()
def norm_ratios(
    model: Network,
    images: ImageSet,
    *,
    batch_size: int = 256,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> NormRatios:
    """The mean over images of FeatureNorm(image) / FeatureNorm(its jigsaw), for each block.

    Args:
        model: What `oodcore.load` gives, in eval mode as loaded.
        images: In-distribution, best a part of the training set.
        batch_size: Images per pass; each is seen twice.
        seed: Of the tile orders, one per image.
        progress: Called with (done, total) images.

    Raises:
        DataError: no images.
        ScoreError: the network has no blocks, or a norm is not finite.
    """
    if len(images) == 0:
        raise DataError(f"'{images.name}' is empty. NormRatio needs at least one in-distribution image.")
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    sums, counts, done = [], [], 0
    for batch in images.batches(batch_size, model.transform):
        pixels = batch.images.to(device)
        whole = _norms(model, pixels)
        pieces = _norms(model, jigsaw(pixels, random_permutations(len(pixels), generator).to(device)))
        heard = pieces > EPSILON
        sums.append((whole / pieces).where(heard, 0.0).sum(0))
        counts.append(heard.sum(0))
        done += len(pixels)
        if progress is not None:
            progress(done, len(images))
    total, n = torch.stack(sums).sum(0), torch.stack(counts).sum(0)
    silent = done * len(n) - int(n.sum())
    return NormRatios(model.block_names, (total / n.clamp_min(1)).cpu(), silent)


def _norms(model: Network, pixels: UInt8[Tensor, "n 3 h w"]) -> Float64[Tensor, "n blocks"]:
    norms = model(model.transform.normalise(pixels), norms=True).norms
    if norms is None or norms.shape[1] == 0:
        raise ScoreError("This network has no blocks that could be found, so there is no FeatureNorm to compare.")
    if not bool(norms.isfinite().all()):
        raise ScoreError("A block's FeatureNorm is NaN or infinite. Check the weights and the preprocessing.")
    return norms.double()
