"""A classifier as stem, blocks, tail and a linear layer: one functional pass gives logits, features and block norms.

There are no hooks: two threads may share one model, and each sees its own norms.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oodcore.functional import feature_norm
from oodcore.records import Head, Outputs

if TYPE_CHECKING:
    from oodcore.data.transforms import Preprocessing


class Classifier(nn.Module):
    """Images → `Outputs`.

    Args:
        architecture: Name that `oodcore.models.build` understands, as `"wrn-40-2"`.
        stem: Images → first maps.
        blocks: Name → maps to maps, in order; each is a candidate for FeatureNorm.
        tail: Last maps → penultimate features (n, d).
        classes: Their names, or how many.
        width: Number `d` of penultimate features.
    """

    def __init__(
        self,
        architecture: str,
        *,
        stem: nn.Module,
        blocks: Mapping[str, nn.Module],
        tail: nn.Module,
        classes: int | Sequence[str],
        width: int,
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.classes = class_names(classes)
        self.block_names = tuple(blocks)
        self.notes: list[str] = []
        self.stem = stem
        self.blocks = nn.ModuleList(blocks.values())
        self.tail = tail
        self.fc = nn.Linear(width, len(self.classes))

    @cached_property
    def transform(self) -> "Preprocessing":
        """What turns a picture into this network's input; until set, pixels are scaled to -1..1."""
        from oodcore.data.transforms import Preprocessing

        return Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))

    @property
    def head(self) -> Head:
        """The last linear layer, cut from the autograd graph; it shares memory with the weights."""
        return Head(self.fc.weight.detach(), self.fc.bias.detach())

    def forward(self, images: Float[Tensor, "n 3 h w"], *, norms: bool = False) -> Outputs:
        """Normalised images → logits, penultimate features and, where asked, one FeatureNorm per block."""
        maps = self.stem(images)
        found: list[Tensor] = []
        for block in self.blocks:
            maps = block(maps)
            if norms:  # at once: a later in-place ReLU may overwrite the maps
                found.append(feature_norm(maps))
        features = self.tail(maps)
        return Outputs(self.fc(features), features, torch.stack(found, dim=1) if norms else None)


def class_names(classes: int | Sequence[str]) -> tuple[str, ...]:
    """Names as they are; a number gives `"class 0"`, `"class 1"`, …."""
    if isinstance(classes, int):
        return tuple(f"class {index}" for index in range(classes))
    return tuple(classes)
