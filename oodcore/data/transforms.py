"""From a picture to what a network sees: centre square, resize, image coding, normalisation.

The steps belong to a checkpoint, down to the JPEG coding of its training images: compression is a cue, and a network
trained on coded images takes clean ones for unusual.
"""

import io
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image
from torch import Tensor

from oodcore.errors import DataError

__all__ = ["CIFAR_MEAN", "CIFAR_STD", "Coding", "Interpolation", "Picture", "Preprocessing", "jpeg75"]

Coding = Literal["lossless", "jpeg75"]
"""`jpeg75` is Pillow's JPEG at quality 75 with 4:2:0 subsampling, at the network's own size."""

Interpolation = Literal["bilinear", "bicubic"]
Picture = Image.Image | np.ndarray | Tensor
"""A Pillow image, a uint8 array (h, w, 3), or a uint8 tensor (3, h, w) or (n, 3, h, w)."""

# Published with Outlier Exposure (Hendrycks et al., ICLR 2019) and used by its successors for CIFAR-10 and -100 alike.
CIFAR_MEAN: Final = (125.3 / 255, 123.0 / 255, 113.9 / 255)
CIFAR_STD: Final = (63.0 / 255, 62.1 / 255, 66.7 / 255)

_FILTERS: Final = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a checkpoint wants its pictures.

    Args:
        size: Side of the network's square input, in pixels.
        resize: Length of the shorter side before the centre crop; None crops the centre square first, then resizes it.
        interpolation: Filter of the resize, always antialiased.
        mean: Subtracted per channel, of values in 0..1.
        std: Divided by per channel, above 0.
        coding: Coding of the images that the network was trained on.
        assumed: True where the weights came without one and it was guessed.

    Raises:
        DataError: a value out of its range.
    """

    size: int = 32
    resize: int | None = None
    interpolation: Interpolation = "bicubic"
    mean: tuple[float, float, float] = CIFAR_MEAN
    std: tuple[float, float, float] = CIFAR_STD
    coding: Coding = "lossless"
    assumed: bool = False

    def __post_init__(self) -> None:
        if any(side is not None and type(side) is not int for side in (self.size, self.resize)):
            raise DataError(f"Size and resize count pixels, in whole numbers; got {self.size} and {self.resize}.")
        if self.size < 1:
            raise DataError(f"The network's input side must be at least 1 pixel; got {self.size}.")
        if self.resize is not None and self.resize < self.size:
            raise DataError(f"The resize must not be below the crop of {self.size} pixels; got {self.resize}.")
        if self.interpolation not in _FILTERS:
            raise DataError(f"The interpolation must be 'bilinear' or 'bicubic'; got '{self.interpolation}'.")
        if self.coding not in get_args(Coding):
            raise DataError(f"The coding must be 'lossless' or 'jpeg75'; got '{self.coding}'.")
        if [len(triple) for triple in (self.mean, self.std)] != [3, 3] or not np.isfinite((self.mean, self.std)).all():
            raise DataError(f"Mean and std must be three numbers each; got {self.mean} and {self.std}.")
        if min(self.std) <= 0:
            raise DataError(f"The std must be above 0 in every channel; got {self.std}.")

    def __str__(self) -> str:
        """Every setting, for people."""
        shorter = f" from a shorter side of {self.resize}" if self.resize else ""
        size = f"{self.size} pixels{shorter}, {self.interpolation}, {self.coding}"
        return f"mean {self.mean} and std {self.std}, {size}{', assumed' if self.assumed else ''}"

    def __call__(self, picture: Picture, coding: Coding = "lossless") -> Float32[Tensor, "*n 3 s s"]:
        """What goes into the network: `(3, s, s)` for one picture, `(n, 3, s, s)` for a batch."""
        return self.normalise(self.pixels(picture, coding))

    def pixels(self, picture: Picture, coding: Coding = "lossless") -> UInt8[Tensor, "*n 3 s s"]:
        """What the network sees, before normalisation: `(3, s, s)` for one picture, `(n, 3, s, s)` for a batch.

        Everything is resized by Pillow, so that the same picture gives the same pixels whichever way it comes.

        Args:
            picture: See `Picture`.
            coding: The coding that `picture` already has at its own size; then it is not coded a second time.

        Raises:
            DataError: not uint8, not three channels, or not two-dimensional.
        """
        if isinstance(picture, Tensor) and picture.ndim == 4:
            return self._batch(picture, coding)
        return self._one(_as_image(picture), coding)

    def normalise(self, pixels: UInt8[Tensor, "*n 3 h w"]) -> Float32[Tensor, "*n 3 h w"]:
        """`(pixels / 255 - mean) / std` in float32, on the pixels' device."""
        mean = torch.tensor(self.mean, device=pixels.device)[:, None, None]
        std = torch.tensor(self.std, device=pixels.device)[:, None, None]
        return (pixels.float() / 255 - mean) / std

    def to_json(self) -> dict[str, Any]:
        """Plain values for a card."""
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Preprocessing":
        """The way back from `to_json`.

        Raises:
            DataError: an unknown key or a value of the wrong kind.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise DataError(f"The preprocessing has unknown keys {unknown}. Known: {sorted(known)}.")
        try:
            triples: dict[str, Any] = {
                key: tuple(float(x) for x in values[key]) for key in {"mean", "std"} & set(values)
            }
            return cls(**{**values, **triples})
        except (TypeError, ValueError, OverflowError) as error:
            raise (
                error if isinstance(error, DataError) else DataError(f"The preprocessing is malformed: {error}.")
            ) from None

    def _batch(self, pictures: Tensor, coding: Coding) -> Tensor:
        _check_channels(pictures)
        if tuple(pictures.shape[2:]) == (self.size, self.size) and self._coded(coding, resized=False):
            return pictures
        seen = [self._one(_as_image(picture), coding) for picture in pictures.cpu()]
        empty = torch.empty(0, 3, self.size, self.size, dtype=torch.uint8)
        return (torch.stack(seen) if seen else empty).to(pictures.device)

    def _one(self, picture: Image.Image, coding: Coding) -> Tensor:
        square = self._square(picture)
        if not self._coded(coding, resized=square is not picture):
            square = jpeg75(square)
        return torch.from_numpy(np.array(square)).movedim(-1, 0).contiguous()

    def _coded(self, coding: Coding, *, resized: bool) -> bool:
        """Resizing washes a coding out, so a coded picture counts as coded only at the network's own size."""
        return self.coding == "lossless" or (coding == self.coding and not resized)

    def _square(self, picture: Image.Image) -> Image.Image:
        if picture.size == (self.size, self.size) and self.resize in (None, self.size):
            return picture
        how = _FILTERS[self.interpolation]
        width, height = picture.size
        short = min(width, height)
        if self.resize is None:
            left, top = (width - short) // 2, (height - short) // 2
            # not `resize(box=…)`, whose filter looks beyond the box
            return picture.crop((left, top, left + short, top + short)).resize((self.size, self.size), how)
        wide, high = (int(side * self.resize / short) for side in (width, height))  # floored, as torchvision does
        left, top = round((wide - self.size) / 2), round((high - self.size) / 2)
        return picture.resize((wide, high), how).crop((left, top, left + self.size, top + self.size))


def jpeg75(picture: Image.Image) -> Image.Image:
    """The picture after JPEG at quality 75, 4:2:0, as the CIFAR-10 mirror and the sets beside it are coded."""
    coded = io.BytesIO()
    picture.save(coded, "JPEG", quality=75, subsampling="4:2:0")
    with Image.open(coded) as read:
        return read.convert("RGB")


def _as_image(picture: Picture) -> Image.Image:
    if isinstance(picture, Image.Image):
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    if isinstance(picture, Tensor):
        _check_channels(picture)
        picture = picture.detach().cpu().movedim(-3, -1).numpy()
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise DataError(
            f"An image array must be uint8 of shape (height, width, 3); got {picture.dtype} {tuple(picture.shape)}."
        )
    if 0 in picture.shape:
        raise DataError(f"The picture has no pixels: its shape is {tuple(picture.shape)}.")
    return Image.fromarray(np.ascontiguousarray(picture))


def _check_channels(pictures: Tensor) -> None:
    shape = tuple(pictures.shape)
    if pictures.dtype != torch.uint8 or len(shape) not in (3, 4) or shape[-3] != 3:
        kind = str(pictures.dtype).removeprefix("torch.")
        raise DataError(f"An image tensor must be uint8 of shape (3, h, w) or (n, 3, h, w); got {kind} {shape}.")
