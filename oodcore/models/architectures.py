"""Architecture names → builders: `build("wrn-40-2", classes=10)`."""

import re
from collections.abc import Callable, Mapping, Sequence

from oodcore.errors import CheckpointError, OODError, UnknownNameError
from oodcore.models.classifier import Classifier
from oodcore.models.resnet import cifar_resnet
from oodcore.models.resnet18 import resnet18
from oodcore.models.vgg import vgg11
from oodcore.models.wrn import wide_resnet
from oodcore.registry import did_you_mean

Builder = Callable[..., Classifier]

architectures: tuple[str, ...] = (
    "resnet-20", "resnet-20-w4", "resnet-32", "resnet-44", "resnet-56", "resnet-110",
    "resnet18", "vgg11", "wrn-16-4", "wrn-28-10", "wrn-40-2",
)  # fmt: skip
"""Usual names. Any depth and width works: `"wrn-D-K"`, `"resnet-D"`, `"resnet-D-wC"` with C channels first."""


DEEPEST, WIDEST = 1202, 1024
"""Published networks stay below; a damaged or hostile file may name anything, and building it would take all memory."""


def build(architecture: str, classes: int | Sequence[str], /, **options: float) -> Classifier:
    """A network with fresh weights.

    Args:
        architecture: One of `architectures`, or of the same pattern.
        classes: Names, or how many.
        options: What the builder takes besides, as `dropout=0.0` (WRN, VGG-11).

    Raises:
        UnknownNameError: no builder knows the name.
        CheckpointError: no network has this depth or width, or takes these options.
    """
    depth, width, *_ = (*(int(number) for number in re.findall(r"\d{1,9}", architecture)), 0, 0)
    if depth > DEEPEST or width > WIDEST:
        raise CheckpointError(
            f"'{architecture}' is no network of this package: depth ends at {DEEPEST}, width at {WIDEST}."
        )
    try:
        model = _built(architecture, classes, options)
    except OODError:
        raise
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"The options {dict(options)} do not fit {architecture}: {error}") from None
    model.options = dict(options)
    return model


def _built(architecture: str, classes: int | Sequence[str], options: Mapping[str, float]) -> Classifier:
    if match := re.fullmatch(r"wrn-(\d+)-(\d+)", architecture):
        return wide_resnet(int(match[1]), int(match[2]), classes, **options)
    if match := re.fullmatch(r"resnet-(\d+)(?:-w(\d+))?", architecture):
        return cifar_resnet(int(match[1]), classes, width=int(match[2] or 16), **options)
    if architecture == "resnet18":
        return resnet18(classes, **options)
    if architecture == "vgg11":
        return vgg11(classes, **options)
    raise UnknownNameError(did_you_mean("architecture", architecture, list(architectures)))
