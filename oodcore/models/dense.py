"""Segmentation networks of torchvision as a `Network`: every point of the output map is a row.

Rows are points of the map that the last 1×1 convolution gives, before it is enlarged to the image: there the logits
are exactly the head of the features. `Dense.maps` brings one score per row back to the size of the images.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from oodcore.data.transforms import Preprocessing
from oodcore.errors import CheckpointError, ScoreError
from oodcore.models.network import Network
from oodcore.records import Head, Outputs, maps, rows

__all__ = ["Dense", "map_shape", "segment"]

STRIDES = (1, 2, 4, 8, 16, 32, 64)


class Dense(Network):
    """Images → one row of logits and features per point of the output map, in reading order.

    LR-ASPP adds two 1×1 convolutions of two maps; its features are both, one behind the other. There are no block
    norms: FeatureNorm is one number per image.

    Args:
        net: FCN, DeepLabV3 or LR-ASPP of torchvision.
        architecture: As `"torchvision:fcn_resnet50"`.
        classes: Names of the logits, or how many.
        transform: Preprocessing.
    """

    def __init__(
        self, net: nn.Module, architecture: str, classes: int | Sequence[str], transform: Preprocessing | None = None
    ) -> None:
        super().__init__(architecture, classes, (), transform)
        self.net = net

    @property
    def head(self) -> Head:
        weight, bias = self._last()
        return Head(weight.detach(), bias.detach())

    def forward(self, images: Float[Tensor, "n 3 h w"], *, norms: bool = False) -> Outputs:
        features = rows(self._features(images))
        return Outputs(F.linear(features, *self._last()), features, None, self.embed(features))

    def maps(self, scores: Float[Tensor, " n"], images: Float[Tensor, "b 3 h w"], /) -> Float[Tensor, "b h w"]:
        """One score per row → one per pixel of the images that the rows came from, enlarged bilinearly."""
        shape = (len(images), images.shape[2], images.shape[3])
        small = maps(scores, map_shape(len(scores), shape))
        return F.interpolate(small[:, None], size=shape[1:], mode="bilinear", align_corners=False)[:, 0]

    def _features(self, images: Tensor) -> Tensor:
        net: Any = self.net
        found, classifier = net.backbone(images), net.classifier
        if not _has_two(classifier):
            values = found["out"]
            for part in list(classifier)[:-1]:
                values = part(values)
            return values
        high = classifier.cbr(found["high"]) * classifier.scale(found["high"])
        high = F.interpolate(high, size=found["low"].shape[-2:], mode="bilinear", align_corners=False)
        return torch.cat([found["low"], high], dim=1)

    def _last(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the head, on the autograd graph."""
        classifier: Any = self.net.get_submodule("classifier")
        if not _has_two(classifier):
            return classifier[-1].weight.flatten(1), classifier[-1].bias
        low, high = classifier.low_classifier, classifier.high_classifier
        return torch.cat([low.weight.flatten(1), high.weight.flatten(1)], dim=1), low.bias + high.bias


def segment(
    net: nn.Module,
    *,
    classes: int | Sequence[str] | None = None,
    transform: Preprocessing | None = None,
    architecture: str,
) -> Dense:
    """Wrap one of torchvision's segmentation networks; its auxiliary classifier is dropped.

    Raises:
        CheckpointError: another network, or a number of classes that is not that of the logits.
    """
    classifier: Any = getattr(net, "classifier", None)
    plain = isinstance(classifier, nn.Sequential) and isinstance(classifier[-1], nn.Conv2d)
    if not hasattr(net, "backbone") or not (plain or _has_two(classifier)):
        raise CheckpointError(f"A {type(net).__name__} is none of FCN, DeepLabV3 and LR-ASPP of torchvision.")
    if hasattr(net, "aux_classifier"):
        del net.aux_classifier  # a child already; deleting keeps its weights out of the state dict
        net.register_module("aux_classifier", None)
    model = Dense(net, architecture, 0, transform)
    weight = model.head.weight
    names = len(weight) if classes is None else classes
    if (names if isinstance(names, int) else len(names)) != len(weight):
        raise CheckpointError(f"The network has {len(weight)} outputs; {names} classes were given.")
    model = Dense(net, architecture, names, transform)
    model.notes = [f"Found a dense head: {weight.shape[1]} features and {len(weight)} outputs per point of the map."]
    return model.eval()


def map_shape(count: int, images: tuple[int, int, int], /) -> tuple[int, int, int]:
    """`(b, h, w)` of the map that gave `count` rows for `images`, `(b, height, width)`.

    Raises:
        ScoreError: no stride fits.
    """
    number, height, width = images
    for stride in STRIDES:
        high, wide = -(-height // stride), -(-width // stride)
        if number * high * wide == count:
            return number, high, wide
    raise ScoreError(f"{count} rows are no map of {number} images of {height}×{width} pixels.")


def _has_two(classifier: object) -> bool:
    return hasattr(classifier, "low_classifier") and hasattr(classifier, "high_classifier")
