"""Hashes of content: equal for equal content, different for every change that the outputs could see."""

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import nn

from oodcore.data.transforms import Preprocessing
from oodcore.models import build
from oodcore.models.fingerprint import cache_key, code_version, structure, weights_hash


def net(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build("resnet-8-w2", 3)


def test_equal_weights_have_equal_hashes() -> None:
    assert weights_hash(net()) == weights_hash(net())
    assert weights_hash(net()) != weights_hash(net(1))


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.fc.bias.data.add_(1e-6),
        lambda m: m.stem.bn1.running_mean.add_(1.0),
        lambda m: m.fc.weight.data.copy_(m.fc.weight.data.flip(0)),
        lambda m: m.half(),
    ],
)
def test_every_change_of_a_tensor_changes_the_hash(change: Callable[[nn.Module], object]) -> None:
    model = net()
    before = weights_hash(model)
    change(model)
    assert weights_hash(model) != before


def test_bfloat16_and_scalars_can_be_hashed() -> None:
    model = net().bfloat16()
    assert len(weights_hash(model)) == 64


def test_two_classes_with_the_same_name_and_other_code_differ() -> None:
    def plain() -> nn.Module:
        class Net(nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x.relu()

        return Net()

    def other() -> nn.Module:
        class Net(nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x.sigmoid()

        return Net()

    assert structure(plain()) == structure(plain())
    plainly, otherwise = plain(), other()
    type(otherwise).__qualname__ = type(plainly).__qualname__
    assert structure(plainly) != structure(otherwise)


def test_plain_attributes_count_and_training_mode_does_not() -> None:
    model = net()
    before = structure(model)
    model.eval()
    assert structure(model) == before
    model.stem.conv1.stride = (2, 2)
    assert structure(model) != before


def test_an_activation_kept_as_a_function_counts() -> None:
    one, other = nn.Identity(), nn.Identity()
    one.act, other.act = torch.relu, torch.tanh
    assert structure(one) != structure(other)


def test_the_key_depends_on_each_of_its_parts() -> None:
    transform = Preprocessing()
    keys = {
        cache_key(net(), transform, "a"),
        cache_key(net(1), transform, "a"),
        cache_key(net(), Preprocessing(coding="jpeg75"), "a"),
        cache_key(net(), transform, "b"),
        cache_key(net(), transform, "a", norms=True),
    }
    assert len(keys) == 5
    assert cache_key(net(), transform, "a") in keys


def test_keys_are_the_same_in_another_process() -> None:
    code = (
        "from oodcore.models import build; from oodcore.models.fingerprint import structure, code_version;"
        "print(structure(build('resnet-8-w2', 3)) + code_version())"
    )
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1
    assert runs.pop().decode().strip().endswith(code_version())
