"""Blocks of a network, and NormRatio: whose FeatureNorm to read (Yu et al., CVPR 2023, arXiv:2212.02295).

A block that sees the whole object answers a picture more strongly than its shuffled tiles; the block where the mean
ratio is largest is selected. No outliers are needed.
"""

from copy import deepcopy
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from oodcore.data import ImageSet, jigsaw, random_permutations
from oodcore.errors import DataError, ScoreError
from oodcore.models.collect import Progress, device_of, evaluating
from oodcore.models.network import Network

__all__ = ["NormRatios", "block_shapes", "norm_ratios", "sum_of_ratios"]

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


def norm_ratios(
    model: Network,
    images: ImageSet,
    *,
    seed: int = 0,
    normalised: bool = True,
    batch_size: int = 256,
    progress: Progress | None = None,
) -> NormRatios:
    """The mean over images of FeatureNorm(image) / FeatureNorm(its jigsaw), for each block.

    Args:
        model: What `oodcore.load` gives.
        images: In-distribution, best a part of the training set.
        seed: Of the tile orders, one per image.
        normalised: Whether the network sees normalised images, as in training. The published code feeds 0..1 here.
        batch_size: Images per pass; each is seen twice.
        progress: Called with (done, total) images after every batch.

    Raises:
        DataError: no images.
        ScoreError: the network has no blocks, or a norm is NaN or infinite.
    """
    if len(images) == 0:
        raise DataError(f"'{images.name}' is empty. NormRatio needs at least one in-distribution image.")
    device, generator = device_of(model), torch.Generator().manual_seed(seed)
    sums, heard, done = [], [], 0
    with evaluating(model):
        for batch in images.batches(batch_size, model.transform):
            order = random_permutations(len(batch.images), generator)
            pieces = jigsaw(batch.images, order.to(batch.images.device))
            whole, cut = (_norms(model, pixels.to(device), normalised) for pixels in (batch.images, pieces))
            more, counted = sum_of_ratios(whole, cut)
            sums.append(more)
            heard.append(counted)
            done += len(batch.images)
            if progress is not None:
                progress(done, len(images))
    total, n = torch.stack(sums).sum(0), torch.stack(heard).sum(0)
    return NormRatios(model.block_names, (total / n.clamp_min(1)).cpu(), done * len(n) - int(n.sum()))


def sum_of_ratios(
    whole: Float[Tensor, "n blocks"], cut: Float[Tensor, "n blocks"], /
) -> tuple[Float64[Tensor, " blocks"], Int64[Tensor, " blocks"]]:
    """Per block, the sum of norm over jigsaw's norm, and over how many images; silent jigsaws are left out."""
    heard = cut > EPSILON
    return (whole.double() / cut.double()).where(heard, 0.0).sum(0), heard.sum(0)


@torch.no_grad()
def _norms(model: Network, pixels: Tensor, normalised: bool) -> Tensor:
    images = model.transform.normalise(pixels) if normalised else pixels.float() / 255
    norms = model(images, norms=True).norms
    if norms is None or not norms.shape[1]:
        raise ScoreError("No blocks were found in this network, so there is no FeatureNorm to compare.")
    if not bool(norms.isfinite().all()):
        raise ScoreError("A block's FeatureNorm is NaN or infinite. Check the weights and the preprocessing.")
    return norms


def block_shapes(model: Network) -> dict[str, tuple[int, ...]]:
    """Block → shape of what it hands on, without the images' axis: (c, h, w), or (tokens, c).

    A copy without weights runs on an image without values, so that nothing is computed, and the model is left alone.
    """
    empty, found = deepcopy(model).to("meta"), {}
    for name, block in zip(model.block_names, _modules(empty), strict=True):

        def note(_: nn.Module, args: Any, maps: Tensor, name: str = name) -> None:
            found[name] = tuple(maps.shape[1:])

        block.register_forward_hook(note)
    side = model.transform.size
    with torch.no_grad():
        empty(torch.empty(1, 3, side, side, device="meta"))
    return found


def _modules(model: Network) -> list[nn.Module]:
    """In the order of `block_names`; an adapted network names its own modules."""
    net = getattr(model, "net", None)
    if isinstance(net, nn.Module):
        return [net.get_submodule(name) for name in model.block_names]
    blocks: Any = getattr(model, "blocks", ())
    return list(blocks)
