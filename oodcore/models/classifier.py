"""A classifier as stem, blocks, tail and a linear layer: one functional pass gives logits, features and block norms.

There are no hooks: threads may share one model, and each sees its own norms.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oodcore.functional import feature_norm
from oodcore.models.network import Network
from oodcore.records import Head, Outputs

__all__ = ["Classifier"]


class Classifier(Network):
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
        super().__init__(architecture, classes, tuple(blocks))
        self.stem = stem
        self.blocks = nn.ModuleList(blocks.values())
        self.tail = tail
        self.fc = nn.Linear(width, len(self.classes))

    @property
    def head(self) -> Head:
        return Head(self.fc.weight.detach(), self.fc.bias.detach())

    def forward(self, images: Float[Tensor, "n 3 h w"], *, norms: bool = False) -> Outputs:
        maps = self.stem(images)
        found: list[Tensor] = []
        for block in self.blocks:
            maps = block(maps)
            if norms:  # at once: a later in-place ReLU may overwrite the maps
                found.append(feature_norm(maps))
        features = self.tail(maps)
        stacked = torch.stack(found, dim=1) if norms else None
        return Outputs(self.fc(features), features, stacked, self.embed(features))
