"""The CIFAR ResNet of depth 6·n + 2 with parameter-free shortcuts (He et al., CVPR 2016, §4.2, option A)."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from oodcore.errors import CheckpointError
from oodcore.models.classifier import Classifier


class PlainBlock(nn.Module):
    """Conv-BN-ReLU, conv-BN, plus the input (every second pixel, zeros for the new channels), ReLU."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.stride = stride
        self.extra = (outside - inside) // 2

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        change = F.relu(self.bn1(self.conv1(maps)), inplace=True)
        change = self.bn2(self.conv2(change))
        if self.stride > 1:
            maps = maps[:, :, :: self.stride, :: self.stride]
        if self.extra:
            maps = F.pad(maps, (0, 0, 0, 0, self.extra, self.extra))
        return F.relu(change.add_(maps), inplace=True)


class ConvStem(nn.Module):
    """3×3 conv, BN, ReLU at full resolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c h w"]:
        return F.relu(self.bn1(self.conv1(images)), inplace=True)


class MeanTail(nn.Module):
    """The mean over space."""

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c"]:
        return maps.mean(dim=(2, 3))


def cifar_resnet(depth: int, classes: int | Sequence[str], width: int = 16) -> Classifier:
    """ResNet-`depth` with `width`, 2·`width` and 4·`width` channels: (depth - 2) / 2 blocks in three stages.

    Raises:
        CheckpointError: `depth` is not 6·n + 2, or the width is odd.
    """
    each, rest = divmod(depth - 2, 6)
    if rest or each < 1 or width < 2 or width % 2:
        raise CheckpointError(
            f"A CIFAR ResNet has depth 6·n + 2 and an even width, as resnet-20; got {depth} and {width}."
        )
    widths = [width, width, 2 * width, 4 * width]
    blocks = {
        f"{stage}.{index}": PlainBlock(
            widths[stage - (index == 1)], widths[stage], 2 if stage > 1 and index == 1 else 1
        )
        for stage in (1, 2, 3)
        for index in range(1, each + 1)
    }
    model = Classifier(
        f"resnet-{depth}" + (f"-w{width}" if width != 16 else ""),
        stem=ConvStem(width),
        blocks=blocks,
        tail=MeanTail(),
        classes=classes,
        width=widths[3],
    )
    for part in model.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight)
    return model
