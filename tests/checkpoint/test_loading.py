"""Class centres on the way to disk and back."""

import json
from pathlib import Path

import pytest
import torch
from torchvision import models

import oodcore
from oodcore.checkpoint import Card, load_reference, save, save_reference
from oodcore.errors import CheckpointError
from oodcore.models import Classifier, Network, build
from oodcore.models.adapters import adapt
from oodcore.models.fingerprint import weights_hash
from oodcore.records import Bank


def attached(model: Network, m: int = 6) -> Network:
    k, d = model.head.weight.shape
    model.attach_centers(torch.randn(m, d), torch.randn(k, m))
    return model


def agree(one: Network, other: Network) -> None:
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        first, second = one(images), other(images)
    assert first.embeddings is not None
    assert second.embeddings is not None
    assert torch.equal(first.embeddings, second.embeddings)
    assert torch.equal(first.logits, second.logits)
    assert one.centers is not None
    assert other.centers is not None
    assert torch.equal(one.centers, other.centers)
    assert weights_hash(one) == weights_hash(other)


def test_a_checkpoint_brings_its_centres_back(model: Classifier, tmp_path: Path) -> None:
    folder = save(tmp_path / "one", attached(model), Card.of(model))
    agree(model, oodcore.load(folder))
    agree(model, oodcore.load(folder / "model.safetensors"))


def test_what_the_builder_was_given_comes_back(tmp_path: Path) -> None:
    folder = save(tmp_path / "one", (model := build("wrn-10-1", 3, dropout=0.05)), Card.of(model))
    again = oodcore.load(folder)
    assert again.options == {"dropout": 0.05}
    assert {block.dropout for block in again.modules() if hasattr(block, "dropout")} == {0.05}


@pytest.mark.parametrize("options", [{"depth": 3}, {"dropout": "much"}, {"dropout": 7}, {"classes": 3}])
def test_options_that_the_builder_does_not_take_are_refused(options: dict[str, object], tmp_path: Path) -> None:
    given = build("vgg11", 3)
    folder = save(tmp_path / "one", given, Card.of(given))
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"options": options}))
    with pytest.raises(CheckpointError, match=r"do not fit vgg11|must be numbers"):
        oodcore.load(folder)


def test_a_bare_state_dict_does_too(model: Classifier, tmp_path: Path) -> None:
    torch.save(attached(model).state_dict(), tmp_path / "bare.pt")
    agree(model, oodcore.load(tmp_path / "bare.pt"))


def test_an_adapted_network_does_too(tmp_path: Path) -> None:
    net = models.get_model("shufflenet_v2_x0_5", weights=None, num_classes=3)
    model = attached(adapt(net, architecture="torchvision:shufflenet_v2_x0_5"))
    agree(model, oodcore.load(save(tmp_path / "one", model, Card.of(model))))


def test_a_checkpoint_without_centres_has_none(model: Classifier, tmp_path: Path) -> None:
    assert oodcore.load(save(tmp_path / "one", model, Card.of(model))).centers is None


@pytest.mark.parametrize("lost", ["projection", "centers"])
def test_half_of_the_centres_is_refused(lost: str, model: Classifier, tmp_path: Path) -> None:
    tensors = dict(attached(model).state_dict())
    del tensors[lost]
    torch.save(tensors, tmp_path / "half.pt")
    with pytest.raises(CheckpointError, match=r"1 keys are unknown"):
        oodcore.load(tmp_path / "half.pt")


@pytest.mark.parametrize(("name", "shape"), [("centers", (2, 6)), ("projection", (6,)), ("projection", (6, 3))])
def test_centres_of_another_network_are_refused(
    name: str, shape: tuple[int, ...], model: Classifier, tmp_path: Path
) -> None:
    tensors = {**attached(model).state_dict(), name: torch.zeros(shape)}
    torch.save(tensors, tmp_path / "odd.pt")
    with pytest.raises(CheckpointError, match="need a projection of shape"):
        oodcore.load(tmp_path / "odd.pt")


def test_the_reference_keeps_the_centres(bank: Bank, tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text('{"architecture": "x", "classes": ["a"], "preprocessing": {}}')
    centers = torch.randn(3, 4)
    save_reference(tmp_path, {"known": Bank(bank.outputs, bank.labels, bank.head, centers)})
    found = load_reference(tmp_path)["known"].centers
    assert found is not None
    assert torch.equal(found, centers)
