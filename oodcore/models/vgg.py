"""VGG-11 without batch norm for 32×32 images (Simonyan and Zisserman, ICLR 2015), with the eight blocks of FeatureNorm.

Block outputs are taken after each ReLU, except the fourth, which is taken after the max-pool that follows it
(Yu et al., CVPR 2023, as released).
"""

import math
from collections.abc import Sequence

from torch import nn

from oodcore.models.classifier import Classifier

# input width, output width, max-pool before, max-pool after
PLAN = (
    (3, 64, False, False),
    (64, 128, True, False),
    (128, 256, True, False),
    (256, 256, False, True),
    (256, 512, False, False),
    (512, 512, False, False),
    (512, 512, True, False),
    (512, 512, False, False),
)


class VGGBlock(nn.Sequential):
    """Conv and ReLU, with a max-pool before or after."""

    def __init__(self, inside: int, outside: int, pool_before: bool, pool_after: bool) -> None:
        super().__init__()
        if pool_before:
            self.pool_before = nn.MaxPool2d(2)
        self.conv = nn.Conv2d(inside, outside, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        if pool_after:
            self.pool_after = nn.MaxPool2d(2)


class VGGTail(nn.Sequential):
    """The last max-pool, mean over what is left, two hidden layers of 512 with dropout."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.mean = nn.AdaptiveAvgPool2d(1)  # 1×1 already for 32×32 images
        self.flat = nn.Flatten()
        self.hidden1 = nn.Linear(512, 512)
        self.relu1 = nn.ReLU(inplace=True)
        self.dropout1 = nn.Dropout(dropout)
        self.hidden2 = nn.Linear(512, 512)
        self.relu2 = nn.ReLU(inplace=True)
        self.dropout2 = nn.Dropout(dropout)


def vgg11(classes: int | Sequence[str], dropout: float = 0.5) -> Classifier:
    """Eight conv blocks, then two hidden layers of 512; the second gives the features."""
    model = Classifier(
        "vgg11",
        stem=nn.Identity(),
        blocks={f"conv{index}": VGGBlock(*plan) for index, plan in enumerate(PLAN, start=1)},
        tail=VGGTail(dropout),
        classes=classes,
        width=512,
    )
    for part in model.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.normal_(part.weight, std=math.sqrt(2 / (9 * part.out_channels)))
            nn.init.constant_(part.bias, 0.0)  # type: ignore[arg-type]
    return model
