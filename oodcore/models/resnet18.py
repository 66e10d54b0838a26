"""ResNet-18 for 32×32 images: 3×3 stem, no pooling, 1×1 shortcuts (He et al., CVPR 2016, as kuangliu/pytorch-cifar)."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from oodcore.models.classifier import Classifier
from oodcore.models.resnet import ConvStem, MeanTail

WIDTHS = (64, 128, 256, 512)


class ProjectedBlock(nn.Module):
    """Conv-BN-ReLU, conv-BN, plus the input (through 1×1 conv and BN where its shape changes), ReLU."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.shortcut = nn.Sequential()
        if stride != 1 or inside != outside:
            self.shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        change = F.relu(self.bn1(self.conv1(maps)), inplace=True)
        return F.relu(self.bn2(self.conv2(change)).add_(self.shortcut(maps)), inplace=True)


def resnet18(classes: int | Sequence[str]) -> Classifier:
    """Eight blocks in four stages, 512 features, 11.2 million parameters."""
    blocks = {
        f"{stage}.{index}": ProjectedBlock(
            WIDTHS[max(stage - 2, 0)] if index == 1 else WIDTHS[stage - 1],
            WIDTHS[stage - 1],
            2 if stage > 1 and index == 1 else 1,
        )
        for stage in (1, 2, 3, 4)
        for index in (1, 2)
    }
    model = Classifier(
        "resnet18", stem=ConvStem(WIDTHS[0]), blocks=blocks, tail=MeanTail(), classes=classes, width=WIDTHS[-1]
    )
    for part in model.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out")
    return model
