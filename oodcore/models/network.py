"""What every network of this package is: a module that knows its classes, its preprocessing and its last layer."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from oodcore.data.transforms import Preprocessing
from oodcore.errors import CheckpointError
from oodcore.records import Head, Outputs

__all__ = ["Network", "class_names"]


class Network(nn.Module):
    """Normalised images → `Outputs`.

    A network that was trained with class centres carries them, as `centers` (k, m), and the `projection` (m, d) that
    makes embeddings of its features; both are None elsewhere.

    Args:
        architecture: Name by which `oodcore.models.build` makes it again.
        classes: Names of the logits, or how many.
        block_names: One per column of `Outputs.norms`.
        transform: What turns a picture into this network's input.
    """

    projection: Float[Tensor, "m d"] | None
    centers: Float[Tensor, "k m"] | None

    def __init__(
        self,
        architecture: str,
        classes: int | Sequence[str],
        block_names: Sequence[str],
        transform: Preprocessing | None = None,
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.classes = class_names(classes)
        self.block_names = tuple(block_names)
        self.transform = transform or Preprocessing()
        self.notes: list[str] = []
        """Sentences about what was recognised or assumed."""
        self.options: dict[str, float] = {}
        """What `oodcore.models.build` was given besides, as `dropout`."""
        self.card: Any = None
        """The `oodcore.checkpoint.Card` that it was loaded with."""
        self.register_buffer("projection", None)
        self.register_buffer("centers", None)

    @property
    @abstractmethod
    def head(self) -> Head:
        """The last linear layer, cut from the autograd graph; it shares memory with the weights."""

    def attach_centers(self, projection: Tensor, centers: Tensor) -> None:
        """From now on `Outputs.embeddings` are the projected features; saved with the weights, not trained.

        Args:
            projection: Linear map of the penultimate features, floats of shape (m, d); copied.
            centers: One per class, in the embeddings' space, floats of shape (k, m); copied.

        Raises:
            CheckpointError: shapes that do not belong to this network.
        """
        weight = self.head.weight
        k, d = weight.shape
        if projection.ndim != 2 or projection.shape[1] != d or centers.shape != (k, len(projection)):
            raise CheckpointError(
                f"Class centres of a network with {k} classes and {d} features need a projection of shape (m, {d}) and "
                f"centres of shape ({k}, m); got {tuple(projection.shape)} and {tuple(centers.shape)}."
            )
        self.projection = projection.detach().to(weight, copy=True)
        self.centers = centers.detach().to(weight, copy=True)

    def embed(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n m"] | None:
        """Where class centres are attached, the projected features."""
        return None if self.projection is None else linear(features, self.projection)

    @abstractmethod
    def forward(self, images: Float[Tensor, "n 3 h w"], *, norms: bool = False) -> Outputs:
        """Normalised images → logits, features, embeddings with centres attached, a FeatureNorm per block if asked."""


def class_names(classes: int | Sequence[str]) -> tuple[str, ...]:
    """Names as they are; a number gives `"class 0"`, `"class 1"`, …."""
    if isinstance(classes, int):
        return tuple(f"class {index}" for index in range(classes))
    return tuple(classes)
