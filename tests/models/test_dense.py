"""Segmentation networks: rows are points of the map, and the head gives their logits back."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from oodcore.data.transforms import Preprocessing
from oodcore.errors import CheckpointError, ScoreError
from oodcore.models.collect import collect
from oodcore.models.dense import Dense, map_shape, segment
from oodcore.records import rows
from tests.models.conftest import image_set

SMALL = Preprocessing(size=64)


def network(name: str) -> nn.Module:
    from torchvision import models

    return models.get_model(name, weights=None, weights_backbone=None, num_classes=4).eval()


def dense(name: str = "lraspp_mobilenet_v3_large", classes: int = 4) -> Dense:
    return segment(network(name), classes=classes, transform=SMALL, architecture=f"torchvision:{name}")


@pytest.mark.parametrize(
    ("name", "features"),
    [("lraspp_mobilenet_v3_large", 168), ("deeplabv3_mobilenet_v3_large", 256)],
)
def test_rows_enlarged_are_the_output_of_the_network(name: str, features: int) -> None:
    net, x = network(name), torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        expected = net(x)["out"]
        model = segment(net, transform=SMALL, architecture=name)
        outputs = model(x)
    shape = map_shape(len(outputs.logits), (2, 64, 96))
    maps = outputs.logits.unflatten(0, shape).movedim(-1, 1)
    assert outputs.features.shape[1] == features
    assert torch.allclose(F.interpolate(maps, size=(64, 96), mode="bilinear"), expected, atol=1e-4)
    assert torch.allclose(model.head(outputs.features), outputs.logits, atol=1e-5)
    assert outputs.norms is None


def test_scores_come_back_at_the_size_of_the_images() -> None:
    model, x = dense(), torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        logits = model(x).logits
    maps = model.maps(logits[:, 0], x)
    assert maps.shape == (2, 64, 96)
    small = logits[:, 0].unflatten(0, map_shape(len(logits), (2, 64, 96)))
    assert torch.allclose(F.adaptive_avg_pool2d(maps[:, None], small.shape[1:])[:, 0].mean(), maps.mean())
    assert maps[1].mean() != maps[0].mean()


def test_rows_are_in_reading_order() -> None:
    values = torch.arange(24.0).reshape(2, 1, 3, 4)
    assert rows(values).flatten().tolist() == list(range(24))


@pytest.mark.parametrize(
    ("count", "shape"), [(2 * 8 * 12, (2, 8, 12)), (2 * 64 * 96, (2, 64, 96)), (2 * 2 * 3, (2, 2, 3))]
)
def test_the_shape_of_the_map_follows_from_the_rows(count: int, shape: tuple[int, int, int]) -> None:
    assert map_shape(count, (2, 64, 96)) == shape


def test_sizes_that_no_stride_divides_are_rounded_up() -> None:
    assert map_shape(65 * 65, (1, 520, 513)) == (1, 65, 65)


def test_rows_that_fit_no_map_are_a_sentence() -> None:
    with pytest.raises(ScoreError, match="7 rows"):
        map_shape(7, (1, 64, 64))


def test_collect_gives_rows_without_classes() -> None:
    bank = collect(dense(), image_set(5), batch_size=2)
    assert len(bank) == 5 * 8 * 8
    assert set(bank.labels.tolist()) == {-1}
    assert bank.outputs.features.shape == (320, 168)


def test_a_classifier_is_refused() -> None:
    with pytest.raises(CheckpointError, match="none of FCN"):
        segment(nn.Linear(2, 2), architecture="x")


def test_a_wrong_number_of_classes_is_a_sentence() -> None:
    with pytest.raises(CheckpointError, match="4 outputs; 9 classes"):
        dense(classes=9)


def test_gradients_reach_the_head() -> None:
    model = dense()
    model(torch.randn(1, 3, 64, 64)).logits.sum().backward()
    assert model.get_parameter("net.classifier.low_classifier.weight").grad is not None
