"""The nine tiles of an image in another order: surfaces stay, shapes go (Yu et al., CVPR 2023, arXiv:2212.02295)."""

from collections.abc import Sequence

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from oodcore.errors import DataError

__all__ = ["jigsaw", "random_permutations"]


def jigsaw(images: Shaped[Tensor, "*n h w"], permutation: Sequence[int] | Tensor) -> Shaped[Tensor, "*n h w"]:
    r"""3×3 tiles of side $\lfloor h/3 \rfloor \times \lfloor w/3 \rfloor$; cell $o$ receives tile `permutation[o]`.

    Cells and tiles count in reading order. Rows and columns beyond the ninth tile stay 0.

    Args:
        images: Any number of images and channels, at least 3×3 pixels.
        permutation: Nine tile numbers for all images, or one row of nine per image of an `(n, c, h, w)` batch.

    Raises:
        DataError: not a permutation of 0..8, a wrong number of them, or images too small.
    """
    order = _checked(torch.as_tensor(permutation, device=images.device), images)
    high, wide = images.shape[-2] // 3, images.shape[-1] // 3
    whole = images[..., : 3 * high, : 3 * wide]
    tiles = whole.unflatten(-2, (3, high)).unflatten(-1, (3, wide)).transpose(-3, -2).flatten(-4, -3)
    if order.ndim == 1:
        moved = tiles[..., order, :, :]
    else:
        moved = tiles.transpose(1, 2)[torch.arange(len(order), device=order.device)[:, None], order].transpose(1, 2)
    result = torch.zeros_like(images)
    result[..., : 3 * high, : 3 * wide] = moved.unflatten(-3, (3, 3)).transpose(-3, -2).flatten(-4, -3).flatten(-2, -1)
    return result


def random_permutations(n: int, generator: torch.Generator | None = None) -> Int64[Tensor, "n 9"]:
    """One uniform order of the nine tiles per image; the identity is possible."""
    device = "cpu" if generator is None else generator.device
    return torch.rand(n, 9, generator=generator, device=device).argsort(dim=1)


def _checked(order: Tensor, images: Tensor) -> Tensor:
    if images.shape[-2] < 3 or images.shape[-1] < 3:
        raise DataError(f"A jigsaw needs images of at least 3×3 pixels; got {tuple(images.shape[-2:])}.")
    identity = torch.arange(9, device=order.device)
    if order.shape[-1:] != (9,) or order.ndim > 2 or not torch.equal(order.sort(-1).values, identity.expand_as(order)):
        raise DataError(f"A jigsaw needs the tile numbers 0 to 8, each once; got {order.tolist()}.")
    if order.ndim == 2 and (images.ndim != 4 or len(order) != len(images)):
        raise DataError(f"One permutation per image: {len(order)} permutations, images {tuple(images.shape)}.")
    return order.long()
