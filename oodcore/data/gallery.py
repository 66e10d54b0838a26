"""Sample photographs that ship inside scikit-image: real pictures with no data set on disk."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from oodcore.errors import UnknownNameError
from oodcore.registry import did_you_mean

__all__ = ["PHOTOS", "Photo", "photo"]


@dataclass(frozen=True, slots=True)
class Photo:
    """One photograph of the gallery."""

    name: str
    caption: str
    credit: str
    cifar10: str | None
    """Which of CIFAR-10's classes it shows; None makes it out-of-distribution there."""
    source: str
    """Function of `skimage.data` that reads it."""

    @property
    def picture(self) -> Image.Image:
        """The photograph, RGB, at its own size; read from the installed package."""
        from skimage import data

        read: Callable[[], np.ndarray | tuple[np.ndarray, ...]] = getattr(data, self.source)
        pixels = read()
        return Image.fromarray(pixels[0] if isinstance(pixels, tuple) else pixels)


PHOTOS: Final[tuple[Photo, ...]] = (
    Photo("cat", "A cat's face, close up", "Stefan van der Walt, CC0", "cat", "cat"),
    Photo("astronaut", "An astronaut in an orange suit", "NASA, public domain", None, "astronaut"),
    Photo("coffee", "A cup of coffee on a wooden table", "Rachel Michetti, CC0", None, "coffee"),
    Photo("rocket", "A rocket on its launch pad at dusk", "SpaceX, public domain", None, "rocket"),
    Photo(
        "motorcycle", "A motorcycle in a garage", "Scharstein et al., Middlebury stereo 2014", None, "stereo_motorcycle"
    ),
    Photo("retina", "The back of a human eye", "Mikael Häggström, CC0", None, "retina"),
    Photo("galaxies", "Thousands of galaxies in deep space", "NASA, public domain", None, "hubble_deep_field"),
    Photo(
        "tissue",
        "Stained tissue under a microscope",
        "CMMI, no known copyright restrictions",
        None,
        "immunohistochemistry",
    ),
)
"""Most show nothing that CIFAR-10 knows, and a page that scores them should say so."""


def photo(name: str) -> Photo:
    """The photograph of this name.

    Raises:
        UnknownNameError: no such photograph.
    """
    found = {photo.name: photo for photo in PHOTOS}
    if name not in found:
        raise UnknownNameError(did_you_mean("sample photograph", name, list(found)))
    return found[name]
