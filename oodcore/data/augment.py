"""Random flip and shifted crop of a whole batch at once, on the batch's device."""

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional as F

from oodcore.errors import DataError

__all__ = ["augment"]


def augment(
    images: UInt8[Tensor, "n c h w"], generator: torch.Generator | None = None, *, pad: int = 4, flip: bool = True
) -> UInt8[Tensor, "n c h w"]:
    """Each image is mirrored with probability ½, padded with black, and cropped back to its size at a random place.

    Args:
        images: uint8, before normalisation (the published recipes pad with black, not with the mean).
        generator: Source of the draws; a CPU generator gives the same images on every device.
        pad: Border on each side, in pixels, 0 or more.
        flip: Whether to mirror.

    Raises:
        DataError: a negative border.
    """
    if pad < 0:
        raise DataError(f"The border of a random crop must be 0 pixels or more; got {pad}.")
    n, _, high, wide = images.shape
    where = images.device if generator is None else generator.device
    draws = torch.randint(2 * pad + 1, (2, n), generator=generator, device=where).to(images.device)
    mirrored = torch.randint(2, (n, 1), generator=generator, device=where).to(images.device).bool() & flip
    down = draws[0, :, None] + torch.arange(high, device=images.device)
    across = draws[1, :, None] + torch.arange(wide, device=images.device)
    across = torch.where(mirrored, wide + 2 * pad - 1 - across, across)
    padded = F.pad(images, (pad, pad, pad, pad))
    pixels = down[:, :, None] * padded.shape[3] + across[:, None, :]
    flat = pixels.flatten(1)[:, None].expand(-1, images.shape[1], -1)
    return padded.flatten(2).gather(2, flat).unflatten(2, (high, wide))
