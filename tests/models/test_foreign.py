"""Other people's state dicts: recognised without editing, or refused in a sentence."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from oodcore.errors import CheckpointError
from oodcore.models import build
from oodcore.models.foreign import recognise

Tensors = dict[str, Tensor]


def akamaster(depth: int, width: int = 16, last: str = "linear") -> Tensors:
    """The names of akamaster/pytorch_resnet_cifar10, from our own network."""
    each = (depth - 2) // 6
    found: Tensors = {}
    for key, value in build(f"resnet-{depth}-w{width}", 10).state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue
        head, *rest = key.split(".")
        if head == "blocks":
            stage, index = divmod(int(rest[0]), each)
            key = ".".join((f"layer{stage + 1}", str(index), *rest[1:]))
        else:
            key = ".".join(rest) if head == "stem" else f"{last}.{rest[-1]}"
        found[key] = value
    return found


@pytest.mark.parametrize(("depth", "width"), [(8, 16), (20, 16), (20, 4), (110, 16)])
@pytest.mark.parametrize("last", ["linear", "fc"])
def test_depth_and_width_of_a_cifar_resnet_are_read_from_its_weights(depth: int, width: int, last: str) -> None:
    weights = akamaster(depth, width, last)
    found = recognise(weights)
    assert found is not None
    assert found.architecture == f"resnet-{depth}" + ("" if width == 16 else f"-w{width}")
    model = build(found.architecture, found.outputs)
    model.load_state_dict(found.tensors)
    assert torch.equal(
        model.blocks[-1].get_parameter("conv2.weight"), weights[f"layer3.{(depth - 8) // 6}.conv2.weight"]
    )
    assert found.transform.assumed
    assert found.transform.mean == (0.485, 0.456, 0.406)


@pytest.mark.parametrize(("architecture", "blocks"), [("wrn-40-2", 6), ("wrn-28-10", 4), ("wrn-16-4", 2)])
def test_wide_resnets_in_the_energy_ood_layout(architecture: str, blocks: int) -> None:
    from oodcore.models.skeleton import skeleton

    weights: Tensors = {}
    for key, value in skeleton(lambda: build(architecture, 100)).items():
        head, *rest = key.split(".")
        if head == "blocks":
            stage, index = divmod(int(rest[0]), blocks)
            tail = ".".join(rest[1:]).replace("shortcut", "convShortcut")
            key = f"block{stage + 1}.layer.{index}.{tail}"
        else:
            key = {"stem": "conv1.weight", "tail": ".".join(rest), "fc": key}[head]
        weights[key] = value
    found = recognise(weights)
    assert found is not None
    assert (found.architecture, found.outputs) == (architecture, 100)
    assert [round(value * 255, 1) for value in (*found.transform.mean, *found.transform.std)] == [
        125.3, 123.0, 113.9, 63.0, 62.1, 66.7,
    ]  # fmt: skip


def test_the_normalisation_and_what_was_ignored_are_said() -> None:
    from tests.models.test_networks import kuangliu

    found = recognise(kuangliu())
    assert found is not None
    said = " ".join(found.notes)
    assert "Recognised as resnet18 with 5 outputs" in said
    assert "Assumed: mean (0.491, 0.482, 0.447)" in said
    assert "projection head" in said
    assert "padding" in said


@pytest.mark.parametrize("name", ["resnet-20", "resnet-20-w4", "wrn-16-2", "resnet18", "vgg11"])
def test_our_own_bare_weights_are_recognised(name: str) -> None:
    weights = dict(build(name, 4).state_dict())
    found = recognise(weights)
    assert found is not None
    assert (found.architecture, found.outputs) == (name, 4)
    assert all(torch.equal(found.tensors[key], weights[key]) for key in weights)


def without(key: str) -> Callable[[Tensors], object]:
    return lambda weights: weights.pop(key)


def put(key: str, value: Tensor) -> Callable[[Tensors], object]:
    return lambda weights: weights.update({key: value})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without("layer2.1.conv1.weight"), "resnet-20, but 1 keys are missing"),
        (put("attention.weight", torch.ones(2)), r"1 keys are unknown \('attention.weight'\)"),
        (
            put("layer1.0.conv1.weight", torch.ones(16, 8, 3, 3)),
            r"has shape \(16, 8, 3, 3\) instead of \(16, 16, 3, 3\)",
        ),
        (put("linear.weight", torch.ones(10, 32)), r"'fc.weight' has shape \(10, 32\)"),
        (put("linear.bias", torch.ones(9)), r"'fc.bias' has shape \(9,\)"),
        (without("linear.weight"), "last linear layer is missing"),
        (put("layer2.0.shortcut.0.weight", torch.ones(32, 16, 1, 1)), "projected shortcuts"),
    ],
)
def test_weights_that_do_not_fit_are_a_sentence(change: Callable[[Tensors], object], says: str) -> None:
    weights = akamaster(20)
    change(weights)
    with pytest.raises(CheckpointError, match=says):
        recognise(weights)


def test_unknown_keys_are_no_layout() -> None:
    assert recognise({"a.weight": torch.ones(2)}) is None


@pytest.mark.parametrize(("name", "accuracy"), [("resnet20-12fca82f", 0.915), ("resnet56-4bfd9763", 0.926)])
def test_published_resnets_reach_their_accuracy_as_they_are(
    data_root: Path, tmp_path: Path, name: str, accuracy: float
) -> None:
    import tarfile

    import numpy as np

    import oodcore

    with tarfile.open(data_root / "ckpt_resnet_cifar10.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    (path,) = tmp_path.rglob(f"{name}.th")
    model = oodcore.load(path)
    assert model.architecture == f"resnet-{name[6:8]}"
    assert model.classes[3] == "cat"
    assert any("normalisation" in note and "0.485" in note for note in model.notes)
    with np.load(data_root / "clean32_eval.npz") as content:
        images, labels = (torch.from_numpy(content[key]) for key in ("cifar10_test", "cifar10_test_label"))
    with torch.inference_mode():
        logits = model(model.transform(images.movedim(-1, 1).contiguous())).logits
    assert (logits.argmax(1) == labels).double().mean().item() == pytest.approx(accuracy, abs=1e-9)
