"""Small image sets and a small network for tests of passes."""

import pytest
import torch

from oodcore.data import ArraySet
from oodcore.models import Classifier, build

CLASSES = ("ant", "bee", "cow", "dog")


def image_set(n: int = 40, seed: int = 0, classes: tuple[str, ...] = CLASSES, name: str = "pictures") -> ArraySet:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, len(classes), (n,), generator=generator)
    return ArraySet(pixels, labels, [f"{name}/{i}" for i in range(n)], name, "id", classes)


@pytest.fixture
def pictures() -> ArraySet:
    return image_set()


@pytest.fixture
def model() -> Classifier:
    return build("resnet-8-w4", CLASSES).eval()
