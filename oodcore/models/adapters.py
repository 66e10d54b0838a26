"""Any classifier as a `Network`: torchvision's, timm's, or a module of your own, as it is.

Features and block norms are caught by permanent hooks that write to storage of the calling thread: two threads may
share the model. A norm is computed inside the hook, before an in-place ReLU can overwrite the maps.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oodcore.data.transforms import Preprocessing
from oodcore.errors import CheckpointError
from oodcore.functional import feature_norm
from oodcore.models.anatomy import Anatomy, Block, dissect
from oodcore.models.foreign import CHANGE
from oodcore.models.network import Network
from oodcore.records import Head, Outputs

__all__ = ["Adapted", "adapt"]

IMAGENET = Preprocessing(
    size=224, resize=256, interpolation="bilinear", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), assumed=True
)


class Caught(threading.local):
    """What the hooks of one forward pass saw, apart for each thread."""

    def __init__(self) -> None:
        self.features: Tensor | None = None
        self.norms: dict[int, Tensor] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> "Caught":
        return Caught()

    def __reduce__(self) -> tuple[type["Caught"], tuple[()]]:
        return Caught, ()


@dataclass(eq=False)
class FeatureHook:
    """Keeps what goes into the head. A class, not a closure, so that copies of the model have hooks of their own."""

    caught: Caught

    def __call__(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        self.caught.features = args[0]


@dataclass(eq=False)
class NormHook:
    """Keeps the FeatureNorm of what comes out of a block, while norms are wanted."""

    caught: Caught
    index: int
    block: Block

    def __call__(self, module: nn.Module, args: tuple[Any, ...], maps: Tensor) -> None:
        if self.caught.norms is not None:
            self.caught.norms[self.index] = feature_norm(_channels_first(maps, self.block))


class Adapted(Network):
    """A foreign classifier and what was found inside it.

    Args:
        net: Images → logits, in eval mode; it gets permanent hooks.
        anatomy: What `dissect` found.
        architecture: As `"torchvision:resnet50"`, or `"module:ResNet"` for a module of one's own.
        classes: Names of the logits, or how many.
        transform: Preprocessing.
    """

    def __init__(
        self,
        net: nn.Module,
        anatomy: Anatomy,
        architecture: str,
        classes: int | Sequence[str],
        transform: Preprocessing,
    ) -> None:
        super().__init__(architecture, classes, [block.name for block in anatomy.blocks], transform)
        self.net = net
        self.head_name = anatomy.head
        self.notes = [_found(anatomy)]
        self.caught = Caught()
        net.get_submodule(anatomy.head).register_forward_pre_hook(FeatureHook(self.caught))
        for index, block in enumerate(anatomy.blocks):
            net.get_submodule(block.name).register_forward_hook(NormHook(self.caught, index, block))

    @property
    def head(self) -> Head:
        layer: Any = self.net.get_submodule(self.head_name)
        weight = layer.weight.detach().flatten(1)
        bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias.detach()
        return Head(weight, bias)

    def forward(self, images: Float[Tensor, "n 3 h w"], *, norms: bool = False) -> Outputs:
        self.caught.norms = {} if norms and self.block_names else None
        try:
            logits = self.net(images)
            features, found = self.caught.features, self.caught.norms
        finally:
            self.caught.features = self.caught.norms = None
        if features is None:
            raise CheckpointError(f"The head '{self.head_name}' was not called in this forward pass.")
        stacked = None if found is None else torch.stack([found[index] for index in range(len(found))], dim=1)
        features = features.flatten(1)
        return Outputs(logits, features, stacked, self.embed(features))


def adapt(
    net: nn.Module,
    *,
    classes: int | Sequence[str] | None = None,
    transform: Preprocessing | None = None,
    architecture: str | None = None,
) -> Adapted:
    """Wrap a classifier; its head, penultimate features and blocks are found by one forward pass of one image.

    Args:
        net: Images (n, 3, h, w) → logits (n, k). It is put into eval mode.
        classes: Names of the logits; without, they are numbered.
        transform: Preprocessing; without, ImageNet's is assumed (224 pixels).
        architecture: Name for cards.

    Raises:
        CheckpointError: no linear head can be found, or the number of classes is not that of the logits.
    """
    transform = transform or IMAGENET
    net.eval()
    example = next(net.parameters(), torch.zeros(()))
    noise = torch.randn(1, 3, transform.size, transform.size, generator=torch.Generator().manual_seed(0))
    anatomy = dissect(net, noise.to(example))
    count = anatomy.outputs if classes is None else classes if isinstance(classes, int) else len(classes)
    if count != anatomy.outputs:
        raise CheckpointError(f"The network has {anatomy.outputs} outputs; {count} classes were given.")
    name = architecture or f"module:{type(net).__name__}"
    model = Adapted(net, anatomy, name, count if classes is None else classes, transform)
    _check_head(model, noise.to(example))
    if transform.assumed:
        change = CHANGE if architecture else "Change it with `transform`."  # a module of one's own is not imported
        model.notes.append(f"Assumed: ImageNet's normalisation at {transform.size} pixels. {change}")
    return model.eval()


def _check_head(model: Adapted, images: Tensor) -> None:
    with torch.no_grad():
        outputs = model(images)
    again = model.head(outputs.features)
    if not torch.allclose(again, outputs.logits, rtol=1e-3, atol=1e-4):
        apart = float((again - outputs.logits).abs().max())
        raise CheckpointError(f"The head '{model.head_name}' does not give the logits back (apart by {apart:.2g}).")


def _found(anatomy: Anatomy) -> str:
    tokens = any(block.channels == -1 for block in anatomy.blocks)
    blocks = (
        f"{len(anatomy.blocks)} blocks, '{anatomy.blocks[0].name}' to '{anatomy.blocks[-1].name}'"
        + (" (norms over tokens)" if tokens else "")
        if anatomy.blocks
        else "no blocks, so FeatureNorm cannot be computed"
    )
    return f"Found the head '{anatomy.head}', {anatomy.features} features, {anatomy.outputs} outputs and {blocks}."


def _channels_first(maps: Tensor, block: Block) -> Tensor:
    """(n, c, h, w); tokens (n, t, c) become maps of t×1."""
    if maps.ndim == 3:
        return maps.mT[..., None]
    return maps if block.channels == 1 else maps.movedim(-1, 1)
