"""Class centres on a network: any kind of network carries them through its passes and its state dict."""

import pytest
import torch
from torch import nn
from torchvision import models

from oodcore.data import ArraySet
from oodcore.errors import CheckpointError
from oodcore.models import Classifier, Network
from oodcore.models.adapters import adapt
from oodcore.models.collect import collect
from oodcore.models.dense import segment
from oodcore.models.fingerprint import cache_key, weights_hash
from oodcore.scorers.representation import Representation


def attached(model: Network, m: int = 6) -> Network:
    k, d = model.head.weight.shape
    model.attach_centers(torch.randn(m, d), torch.randn(k, m))
    return model


def own_network() -> Network:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    return adapt(net)


def dense_network() -> Network:
    net = models.get_model("lraspp_mobilenet_v3_large", weights=None, weights_backbone=None, num_classes=4)
    return segment(net.eval(), architecture="torchvision:lraspp_mobilenet_v3_large")


@pytest.mark.parametrize("kind", ["own", "adapted", "dense"])
def test_embeddings_are_the_projected_features(kind: str, model: Classifier) -> None:
    network: Network = {"own": lambda: model, "adapted": own_network, "dense": dense_network}[kind]()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        bare = network(images)
        outputs = attached(network)(images)
    assert bare.embeddings is None
    assert outputs.embeddings is not None
    torch.testing.assert_close(outputs.embeddings, outputs.features @ network.projection.mT)
    assert torch.equal(outputs.logits, bare.logits)


def test_without_centres_there_is_no_trace_of_them(model: Classifier) -> None:
    assert model.centers is None
    assert model.projection is None
    assert not [key for key in model.state_dict() if "centers" in key or "projection" in key]


def test_centres_are_kept_but_not_trained_along(model: Classifier) -> None:
    trained = [name for name, _ in attached(model).named_parameters()]
    assert {"projection", "centers"} <= set(model.state_dict())
    assert not {"projection", "centers"} & set(trained)


def test_centres_follow_the_network_to_its_precision(model: Classifier) -> None:
    model.double()
    attached(model)
    assert model.centers.dtype == torch.float64
    assert model.float().centers.dtype == torch.float32


def test_shapes_of_another_network_are_refused(model: Classifier) -> None:
    k, d = model.head.weight.shape
    for projection, centers in (
        (torch.zeros(6, d + 1), torch.zeros(k, 6)),
        (torch.zeros(6, d), torch.zeros(k, 5)),
        (torch.zeros(6, d), torch.zeros(k + 1, 6)),
    ):
        with pytest.raises(CheckpointError, match=rf"network with {k} classes and {d} features"):
            model.attach_centers(projection, centers)
    assert model.centers is None


def test_hashes_cover_the_centres(model: Classifier, pictures: ArraySet) -> None:
    def seen() -> tuple[str, str]:
        return weights_hash(model), cache_key(model, model.transform, pictures.digest)

    bare = seen()
    attached(model)
    first = seen()
    model.centers.add_(1)
    assert len({bare[0], first[0], seen()[0]}) == 3
    assert len({bare[1], first[1], seen()[1]}) == 3


@pytest.mark.parametrize("where", ["memory", "disk", "cache"])
def test_a_bank_carries_embeddings_and_centres(where: str, model: Classifier, pictures: ArraySet, tmp_path) -> None:
    attached(model)
    how = {"memory": {}, "disk": {"on_disk": tmp_path}, "cache": {"cache": tmp_path}}[where]
    for _ in range(2):  # a cache is written, then read
        bank = collect(model, pictures, **how)
        assert torch.equal(bank.centers, model.centers)
        part = next(iter(bank.chunks()))
        torch.testing.assert_close(part.outputs.embeddings, part.outputs.features @ model.projection.mT)
        assert Representation().fit(bank)(part.outputs).isfinite().all()


def test_later_training_does_not_change_a_bank(model: Classifier, pictures: ArraySet) -> None:
    bank = collect(attached(model), pictures)
    before = bank.centers.clone()
    model.centers.add_(1)
    assert torch.equal(bank.centers, before)
