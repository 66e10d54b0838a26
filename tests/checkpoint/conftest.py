"""A small network and outputs to keep with it."""

import pytest
import torch

from oodcore.models import Classifier, build
from oodcore.records import Bank, Outputs


@pytest.fixture
def model() -> Classifier:
    return build("resnet-8-w4", ("ant", "bee", "cow")).eval()


@pytest.fixture
def bank(model: Classifier) -> Bank:
    features = torch.rand(1500, 16) * 5
    outputs = Outputs(model.head(features), features, torch.rand(1500, 3) * 50, torch.randn(1500, 4))
    return Bank(outputs, torch.arange(1500) % 3, model.head)
