"""Wide residual networks for 32×32 images (Zagoruyko and Komodakis, BMVC 2016), as in the energy_ood repository.

Pre-activation: a block adds to its input before any ReLU, so block outputs have negative values.
"""

import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from oodcore.errors import CheckpointError
from oodcore.models.classifier import Classifier


class WideBlock(nn.Module):
    """BN-ReLU-conv twice, dropout between, plus the input (through 1×1 where the width changes)."""

    def __init__(self, inside: int, outside: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
        self.dropout = dropout
        self.shortcut = nn.Conv2d(inside, outside, 1, stride, bias=False) if inside != outside else None

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        active = F.relu(self.bn1(maps), inplace=True)
        hidden = F.relu(self.bn2(self.conv1(active)), inplace=True)
        change = self.conv2(F.dropout(hidden, self.dropout, self.training))
        return change.add_(maps if self.shortcut is None else self.shortcut(active))


class WideTail(nn.Module):
    """The last BN and ReLU, then the mean over space."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(width)

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c"]:
        return F.relu(self.bn1(maps), inplace=True).mean(dim=(2, 3))


def wide_resnet(depth: int, width: int, classes: int | Sequence[str], dropout: float = 0.3) -> Classifier:
    """WRN-`depth`-`width`, as `wide_resnet(40, 2, 10)`: (depth - 4) / 2 blocks in three stages.

    Raises:
        CheckpointError: `depth` is not 6·n + 4.
    """
    each, rest = divmod(depth - 4, 6)
    if rest or each < 1 or width < 1:
        raise CheckpointError(
            f"A wide ResNet has depth 6·n + 4 and width 1 or more, as wrn-40-2; got {depth}, {width}."
        )
    widths = [16, 16 * width, 32 * width, 64 * width]
    blocks = {
        f"{stage}.{index}": WideBlock(
            widths[stage - (index == 1)], widths[stage], 2 if stage > 1 and index == 1 else 1, dropout
        )
        for stage in (1, 2, 3)
        for index in range(1, each + 1)
    }
    model = Classifier(
        f"wrn-{depth}-{width}",
        stem=nn.Conv2d(3, 16, 3, padding=1, bias=False),
        blocks=blocks,
        tail=WideTail(widths[3]),
        classes=classes,
        width=widths[3],
    )
    for part in model.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.normal_(part.weight, std=math.sqrt(2 / (part.kernel_size[0] ** 2 * part.out_channels)))
    nn.init.zeros_(model.fc.bias)
    return model
