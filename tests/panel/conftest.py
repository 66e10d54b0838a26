"""A small network with everything a panel reads, and a bank of its outputs."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from oodcore.data.transforms import Preprocessing
from oodcore.functional import feature_norm
from oodcore.records import Bank, Head, Outputs

CLASSES, WIDTH = 4, 12


class Net(nn.Module):
    """Two convolutions with batch norm and dropout; counts its passes. Its classes are blocks of brightness."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(6, WIDTH, 3, stride=2), nn.BatchNorm2d(WIDTH), nn.Dropout(0.5))
        self.fc = nn.Linear(WIDTH, CLASSES)
        self.transform = Preprocessing(size=8, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5))
        self.passes: list[str] = []

    def forward(self, images: Tensor, *, norms: bool = False) -> Outputs:
        assert not self.training
        self.passes.append("inference" if torch.is_inference_mode_enabled() else "graph")
        first = self.first(images)
        second = self.second(first)
        features = second.relu().mean((2, 3))
        found = torch.stack([feature_norm(first), feature_norm(second)], dim=1) if norms else None
        return Outputs(self.fc(features), features, found)


class Setup(NamedTuple):
    net: Net
    bank: Bank
    images: Tensor


def made() -> Setup:
    torch.manual_seed(0)
    net = Net().eval()
    images, labels = torch.randn(120, 3, 8, 8), torch.arange(120) % CLASSES
    images += labels[:, None, None, None]
    net.train()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        net.second(net.first(images))
        net.eval()
        outputs = net(images, norms=True)
    net.passes.clear()
    projection = torch.randn(WIDTH, 5)
    embeddings = outputs.features @ projection
    centers = torch.stack([embeddings[labels == label].mean(0) for label in range(CLASSES)])
    head = Head(net.fc.weight.detach().clone(), net.fc.bias.detach().clone())
    return Setup(
        net, Bank(outputs._replace(embeddings=embeddings), labels, head, centers), 2 * torch.randn(30, 3, 8, 8)
    )


@pytest.fixture
def setup() -> Setup:
    return made()


@pytest.fixture
def outputs(setup: Setup) -> Outputs:
    """Of the images, in eval mode; with embeddings, so that every scorer can be asked."""
    with torch.no_grad():
        found = setup.net(setup.images, norms=True)
    setup.net.passes.clear()
    return found._replace(embeddings=torch.randn(len(setup.images), 5))


@pytest.fixture
def same() -> Callable[[dict[str, Tensor], dict[str, Tensor]], None]:
    """Two sets of scores are equal to the last bit."""

    def check(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
        assert list(first) == list(second)
        for name in first:
            assert torch.equal(first[name], second[name]), name

    return check
