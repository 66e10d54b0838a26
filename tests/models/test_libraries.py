"""torchvision and timm by name, and their bare state dicts; no weights are downloaded here."""

import json
from pathlib import Path
from urllib.error import URLError

import pytest
import torch

import oodcore
from oodcore.errors import CheckpointError, UnknownNameError
from oodcore.models.libraries import _candidates, _timm_transform, bytes_of, from_name


def test_a_torchvision_name_with_random_weights() -> None:
    model = oodcore.load("torchvision:shufflenet_v2_x0_5?weights=none")
    assert len(model.classes) == 1000
    assert (model.transform.size, model.transform.resize, model.transform.interpolation) == (224, 256, "bilinear")
    assert any("random" in note for note in model.notes)
    assert not model.training


def test_a_timm_name_with_random_weights() -> None:
    model = from_name("timm:test_resnet", weights="none", classes=("a", "b", "c"))
    assert model.classes == ("a", "b", "c")
    assert model.architecture == "timm:test_resnet"
    assert model.transform.size == 160


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("torchvision:resnet18", 11_689_512 + 9620),  # parameters, as published, and running statistics with counters
        ("torchvision:lraspp_mobilenet_v3_large", 3_221_538 + 24_446),
        ("timm:test_resnet", None),
    ],
)
def test_the_size_of_weights_is_known_before_they_are_fetched(name: str, weights: int | None) -> None:
    state = from_name(name, weights="none").get_submodule("net").state_dict()
    assert bytes_of(name) == sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    assert weights is None or abs(bytes_of(name) / 4 / weights - 1) < 0.001


def test_timm_resizes_by_its_crop_share() -> None:
    config = {
        "input_size": (3, 224, 224),
        "crop_pct": 0.9,
        "interpolation": "bicubic",
        "mean": (0.5,) * 3,
        "std": (0.5,) * 3,
    }
    transform = _timm_transform(config)
    assert (transform.size, transform.resize, transform.interpolation) == (224, 248, "bicubic")


def test_a_dense_network_by_name() -> None:
    model = oodcore.load("torchvision:lraspp_mobilenet_v3_large?weights=none")
    assert len(model.classes) == 21
    assert model.transform.size == 520


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("torchvision:resnet51", "Did you mean 'resnet50'"),
        ("timm:resnot18", "Did you mean 'resnet18'"),
        ("torchvision:resnet18?weights=IMAGENET1K_V9", "IMAGENET1K_V1, DEFAULT, none"),
    ],
)
def test_unknown_names_are_answered_with_near_ones(name: str, says: str) -> None:
    with pytest.raises(UnknownNameError, match=says):
        oodcore.load(name)


def test_a_failed_download_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    with pytest.raises(CheckpointError, match=r"could not be downloaded .*no network.*\?weights=none"):
        oodcore.load("torchvision:shufflenet_v2_x0_5")


def test_downloaded_weights_bring_their_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import models

    weights = models.shufflenet_v2_x0_5(weights=None).state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *args, **options: weights)
    model = oodcore.load("torchvision:shufflenet_v2_x0_5")
    assert model.classes[0] == "tench"
    assert torch.equal(model.head.weight, weights["fc.weight"])


@pytest.mark.parametrize(("library", "name"), [("torchvision", "shufflenet_v2_x1_0"), ("torchvision", "resnet18")])
def test_a_bare_state_dict_is_recognised(tmp_path: Path, library: str, name: str) -> None:
    from torchvision import models

    weights = models.get_model(name, weights=None, num_classes=7).state_dict()
    torch.save({"state_dict": {f"module.{key}": value for key, value in weights.items()}}, tmp_path / "w.pth")
    model = oodcore.load(tmp_path / "w.pth")
    assert model.architecture == f"{library}:{name}"
    assert len(model.classes) == 7
    assert torch.equal(model.state_dict()["net.fc.weight"], weights["fc.weight"])
    assert any("Recognised as" in note for note in model.notes)
    assert model.transform.assumed


def test_timm_weights_beside_their_config_are_recognised(tmp_path: Path) -> None:
    from safetensors.torch import save_file
    from timm import create_model

    save_file(create_model("test_resnet", num_classes=3).state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="match no network known here"):
        oodcore.load(tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "test_resnet"}))
    assert oodcore.load(tmp_path / "model.safetensors").architecture == "timm:test_resnet"
    named = oodcore.load(f"timm:test_resnet?weights={tmp_path / 'model.safetensors'}")
    assert len(named.classes) == 3


def test_weights_for_another_network_are_a_sentence(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.ones(4, 2)}, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="look like timm:test_resnet, but"):
        oodcore.load(f"timm:test_resnet?weights={tmp_path / 'w.pt'}")


@pytest.mark.parametrize(
    ("key", "family"),
    [
        ("layer1.0.bn1.weight", "torchvision:resnet50"),
        ("encoder.layers.encoder_layer_0.ln_1.weight", "torchvision:vit_b_16"),
        ("features.1.0.layer_scale", "torchvision:convnext_tiny"),
        ("blocks.0.attn.qkv.weight", "timm:vit_small_patch16_224"),
    ],
)
def test_a_key_points_to_its_family(key: str, family: str) -> None:
    assert family in _candidates({key: torch.ones(1)})
