"""State dicts that other people's code saved: recognised by their keys and shapes, renamed, and checked.

Layouts: energy_ood and outlier-exposure (WRN), akamaster/pytorch_resnet_cifar10 (CIFAR ResNet), kuangliu/pytorch-cifar,
OpenOOD and long-tailed-ood-detection (ResNet-18), block-selection-for-OOD-detection (VGG-11), and this package's own.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from oodcore.data.transforms import CIFAR_MEAN, CIFAR_STD, Preprocessing
from oodcore.errors import CheckpointError
from oodcore.models.architectures import build
from oodcore.models.skeleton import skeleton

__all__ = ["CHANGE", "Recognised", "recognise"]

CHANGE = "Change it with `preprocessing`, or with --mean and --std of `ood checkpoints import`."

IMAGENET = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), assumed=True)
ENERGY = Preprocessing(mean=CIFAR_MEAN, std=CIFAR_STD, assumed=True)
HALF = Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), assumed=True)

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Recognised:
    """Weights under this package's names, and what they are."""

    architecture: str
    tensors: dict[str, Tensor]
    outputs: int
    """Number of logits."""
    transform: Preprocessing
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Layout:
    """How one repository names its weights.

    Args:
        title: For people.
        fits: Whether a state dict is of this layout, by a few keys.
        rules: Pattern and replacement for each key, the first match counts.
        transform: The normalisation of the repository.
        source: Where that normalisation is from.
    """

    title: str
    fits: Callable[[Tensors], bool]
    rules: tuple[tuple[str, str], ...]
    transform: Preprocessing
    source: str


# `{block}` becomes the running number of the block that the groups `stage` and `index` name.
LAYOUTS = (
    Layout(
        "this package",
        lambda keys: "blocks.0.conv1.weight" in keys or "blocks.0.conv.weight" in keys,
        ((r"(.+)", r"\1"),),
        ENERGY,
        "this package's default",
    ),
    Layout(
        "WRN of energy_ood and outlier-exposure",
        lambda keys: "block1.layer.0.bn1.weight" in keys,
        (
            (r"conv1\.weight", "stem.weight"),
            (r"block(?P<stage>\d)\.layer\.(?P<index>\d+)\.convShortcut\.(.+)", r"blocks.{block}.shortcut.\3"),
            (r"block(?P<stage>\d)\.layer\.(?P<index>\d+)\.(.+)", r"blocks.{block}.\3"),
            (r"bn1\.(.+)", r"tail.bn1.\1"),
            (r"(?:fc|linear)\.(.+)", r"fc.\1"),
        ),
        ENERGY,
        "energy_ood",
    ),
    Layout(
        "CIFAR ResNet",
        lambda keys: _small_stem(keys) and "layer3.0.conv1.weight" in keys,
        (
            (r"(conv1|bn1)\.(.+)", r"stem.\1.\2"),
            (r"layer(?P<stage>\d)\.(?P<index>\d+)\.(?:shortcut|downsample)\.(.+)", r"blocks.{block}.shortcut.\3"),
            (r"layer(?P<stage>\d)\.(?P<index>\d+)\.(.+)", r"blocks.{block}.\3"),
            (r"(?:fc|linear|classifier)\.(weight|bias)", r"fc.\1"),
        ),
        IMAGENET,
        "akamaster/pytorch_resnet_cifar10",
    ),
    Layout(
        "VGG-11",
        lambda keys: "features.18.weight" in keys and _shape(keys, "classifier.0.weight") == (512, 512),
        (
            *((rf"features\.{place}\.(.+)", rf"blocks.{number}.conv.\1") for number, place in enumerate(
                (0, 3, 6, 8, 11, 13, 16, 18)
            )),
            (r"classifier\.0\.(.+)", r"tail.hidden1.\1"),
            (r"classifier\.3\.(.+)", r"tail.hidden2.\1"),
            (r"classifier\.6\.(.+)", r"fc.\1"),
        ),
        HALF,
        "block-selection-for-OOD-detection",
    ),
)  # fmt: skip

# Parts that training used and scoring does not: projection heads of contrastive losses.
SPARE = re.compile(r"(projection|proj|mlp|projection_head|proj_head|aux_linear)\.")


def recognise(tensors: Tensors, /) -> Recognised | None:
    """The network that these weights belong to, or None where no layout has such keys.

    Raises:
        CheckpointError: the keys are of a known layout, but weights are missing, unknown, or of the wrong shape.
    """
    layout = next((layout for layout in LAYOUTS if layout.fits(tensors)), None)
    if layout is None:
        return None
    spare = sorted(key for key in tensors if SPARE.match(key))
    renamed = _rename({key: value for key, value in tensors.items() if not SPARE.match(key)}, layout)
    architecture = _infer(renamed, layout)
    outputs = _check(renamed, architecture)
    transform, source = layout.transform, layout.source
    if architecture == "resnet18":
        transform, source = ENERGY, "energy_ood, as its long-tailed successors"
    notes = [
        f"Recognised as {architecture} with {outputs} outputs, in the layout of {layout.title}.",
        f"The weights carry no normalisation. Assumed: mean {_shown(transform.mean)} and std {_shown(transform.std)} "
        f"({source}). {CHANGE}",
    ]
    if architecture == "resnet18" and layout.title != "this package":
        notes.append("The padding of the first convolution leaves no trace in the weights. Assumed: 1.")
    if spare:
        notes.append(f"Ignored {len(spare)} tensors of a projection head ('{spare[0]}', …), which no score uses.")
    return Recognised(architecture, renamed, outputs, transform, notes)


def _rename(tensors: Tensors, layout: Layout) -> dict[str, Tensor]:
    renamed = {key: _renamed(key, layout) for key in tensors}
    places = sorted({place for _, place in renamed.values() if place is not None})
    return {
        new.replace("{block}", str(places.index(place)) if place else ""): tensors[key]
        for key, (new, place) in renamed.items()
    }


def _renamed(key: str, layout: Layout) -> tuple[str, tuple[int, int] | None]:
    """The new name, and the stage and index of the block where it has one; unknown keys stay as they are."""
    for pattern, replacement in layout.rules:
        if match := re.fullmatch(pattern, key):
            groups = match.groupdict()
            place = (int(groups["stage"]), int(groups["index"])) if groups else None
            return match.expand(replacement), place
    return key, None


def _infer(tensors: Tensors, layout: Layout) -> str:
    blocks = 1 + max(int(found[1]) for key in tensors if (found := re.match(r"blocks\.(\d+)\.", key)))
    if "blocks.0.conv.weight" in tensors:
        return "vgg11"
    if "tail.bn1.weight" in tensors:
        return f"wrn-{2 * blocks + 4}-{len(tensors['tail.bn1.weight']) // 64}"
    shortcut = any(".shortcut." in key for key in tensors)
    width = len(tensors["stem.conv1.weight"]) if "stem.conv1.weight" in tensors else 0
    if shortcut and width == 64 and blocks == 8:
        return "resnet18"
    if shortcut:
        raise CheckpointError(
            f"These weights look like a residual network with {blocks} blocks and projected shortcuts (layout of "
            f"{layout.title}). Known are ResNet-18 (8 blocks, 64 channels first) and shortcuts without weights."
        )
    return f"resnet-{2 * blocks + 2}" + (f"-w{width}" if width != 16 else "")


def _check(tensors: dict[str, Tensor], architecture: str) -> int:
    """The number of logits; fills in BatchNorm's step counters, which older files lack."""
    if "fc.weight" not in tensors or tensors["fc.weight"].ndim != 2:
        raise CheckpointError(f"These weights look like {architecture}, but the last linear layer is missing.")
    outputs = len(tensors["fc.weight"])
    expected = skeleton(lambda: build(architecture, outputs))
    for key, value in expected.items():
        if key.endswith("num_batches_tracked"):
            tensors.setdefault(key, torch.zeros((), dtype=value.dtype))
    compare(tensors, expected, architecture)
    return outputs


def compare(tensors: Tensors, expected: Tensors, architecture: str) -> None:
    """Raise CheckpointError, in one sentence, unless keys and shapes agree."""
    missing = [key for key in expected if key not in tensors]
    unknown = [key for key in tensors if key not in expected]
    if missing or unknown:
        parts = [f"{len(keys)} keys are {what} ({_some(keys)})" for what, keys in
                 (("missing", missing), ("unknown", unknown)) if keys]  # fmt: skip
        raise CheckpointError(f"These weights look like {architecture}, but {' and '.join(parts)}.")
    for key, value in expected.items():
        if tensors[key].shape != value.shape:
            raise CheckpointError(
                f"These weights look like {architecture}, but '{key}' has shape {tuple(tensors[key].shape)} "
                f"instead of {tuple(value.shape)}."
            )


def _some(keys: list[str]) -> str:
    return ", ".join(f"'{key}'" for key in keys[:3]) + (", …" if len(keys) > 3 else "")


def _small_stem(tensors: Tensors) -> bool:
    return _shape(tensors, "conv1.weight")[1:] == (3, 3, 3)


def _shape(tensors: Tensors, key: str) -> tuple[int, ...]:
    return tuple(tensors[key].shape) if key in tensors else ()


def _shown(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.3g}" for value in values) + ")"
