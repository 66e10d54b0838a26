"""What every network of this package is: a module that knows its classes, its preprocessing and its last layer."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from oodcore.data.transforms import Preprocessing
from oodcore.records import Head, Outputs

__all__ = ["Network", "class_names"]


class Network(nn.Module):
    """Normalised images → `Outputs`.

    Args:
        architecture: Name by which `oodcore.models.build` makes it again.
        classes: Names of the logits, or how many.
        block_names: One per column of `Outputs.norms`.
        transform: What turns a picture into this network's input.
    """

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
        self.card: Any = None
        """The `oodcore.checkpoint.Card` that it was loaded with."""

    @property
    @abstractmethod
    def head(self) -> Head:
        """The last linear layer, cut from the autograd graph; it shares memory with the weights."""

    @abstractmethod
    def forward(self, images: Float[Tensor, "n 3 h w"], *, norms: bool = False) -> Outputs:
        """Normalised images → logits, penultimate features and, where asked, one FeatureNorm per block."""


def class_names(classes: int | Sequence[str]) -> tuple[str, ...]:
    """Names as they are; a number gives `"class 0"`, `"class 1"`, …."""
    if isinstance(classes, int):
        return tuple(f"class {index}" for index in range(classes))
    return tuple(classes)
