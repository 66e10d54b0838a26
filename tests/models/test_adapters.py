"""Foreign classifiers: head, features and blocks are found, norms are right, threads do not mix."""

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from oodcore.errors import CheckpointError
from oodcore.functional import feature_norm
from oodcore.models import build
from oodcore.models.adapters import IMAGENET, Adapted, adapt
from oodcore.models.collect import collect
from tests.models.conftest import CLASSES, image_set

SMALL = replace(IMAGENET, size=64, resize=64, assumed=False)


def torchvision(name: str) -> nn.Module:
    from torchvision import models

    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return models.get_model(name, weights=None, num_classes=4, **options)


def timm(name: str) -> nn.Module:
    from timm import create_model

    return create_model(name, num_classes=4)


class Residual(nn.Module):
    """A block whose in-place additions and activations overwrite what it returned a moment ago."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv(x)
        out += x
        return out


class InPlace(nn.Module):
    """Blocks with negative outputs, each overwritten by an in-place ReLU right after."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.blocks = nn.ModuleList([Residual(6) for _ in range(3)])
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = self.relu(block(x).sub_(0.1))
        return self.fc(x.mean((2, 3)))


@pytest.mark.parametrize(
    ("name", "head", "features", "blocks", "first", "last"),
    [
        ("resnet18", "fc", 512, 8, "layer1.0", "layer4.1"),
        ("densenet121", "classifier", 1024, 4, "features.denseblock1", "features.denseblock4"),
        ("mobilenet_v2", "classifier.1", 1280, 17, "features.1", "features.17"),
        ("swin_t", "head", 768, 12, "features.1.0", "features.7.1"),
        ("shufflenet_v2_x0_5", "fc", 1024, 16, "stage2.0", "stage4.3"),
    ],
)
def test_torchvision_networks_are_taken_apart(
    name: str, head: str, features: int, blocks: int, first: str, last: str
) -> None:
    model = adapt(torchvision(name), transform=SMALL)
    assert (model.head_name, len(model.block_names)) == (head, blocks)
    assert (model.block_names[0], model.block_names[-1]) == (first, last)
    with torch.no_grad():
        outputs = model(torch.randn(2, 3, 64, 64), norms=True)
    assert outputs.features.shape == (2, features)
    assert torch.allclose(model.head(outputs.features), outputs.logits, atol=1e-4)
    assert outputs.norms is not None
    assert outputs.norms.shape == (2, blocks)
    assert f"'{head}'" in model.notes[0]
    assert f"{blocks} blocks" in model.notes[0]


@pytest.mark.parametrize(
    ("name", "side", "blocks", "first", "tokens"),
    [
        ("test_vit", 160, 6, "blocks.0", True),
        ("resnet10t", 64, 4, "layer1.0", False),
        ("mobilenetv3_small_050", 64, 11, "blocks.0.0", False),
        ("resnetv2_18", 64, 8, "stages.0.blocks.0", False),
    ],
)
def test_timm_networks_are_taken_apart(name: str, side: int, blocks: int, first: str, tokens: bool) -> None:
    model = adapt(timm(name), transform=replace(SMALL, size=side, resize=side))
    assert (len(model.block_names), model.block_names[0]) == (blocks, first)
    assert ("tokens" in model.notes[0]) == tokens


def test_logits_are_those_of_the_network_alone() -> None:
    net = torchvision("resnet18").eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        alone = net(x)
        assert torch.equal(adapt(net, transform=SMALL)(x, norms=True).logits, alone)


def test_norms_are_taken_before_an_in_place_relu_overwrites_the_block() -> None:
    net = InPlace().eval()
    model, x = adapt(net, transform=SMALL), torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        z, expected = net.stem(x), []
        for block in net.blocks:
            maps = block.conv(z) + z
            expected.append(feature_norm(maps))
            z = (maps - 0.1).relu()
        norms = model(x, norms=True).norms
    assert model.block_names == ("blocks.0", "blocks.1", "blocks.2")
    assert torch.allclose(norms, torch.stack(expected, 1), rtol=1e-5)


def test_tokens_give_the_norm_over_tokens() -> None:
    class Mix(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(5, 5)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.linear(x)

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch = nn.Conv2d(3, 5, 4, 4)
            self.blocks = nn.Sequential(Mix(), Mix())
            self.head = nn.Linear(5, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.blocks(self.patch(x).flatten(2).mT).mean(1))

    net = Tokens().eval()
    model, x = adapt(net, transform=SMALL), torch.randn(3, 3, 16, 16)
    with torch.no_grad():
        tokens = net.blocks[0](net.patch(x).flatten(2).mT)
        norms = model(x, norms=True).norms
    by_hand = tokens.relu().square().sum(1).sqrt().mean(1)
    assert norms is not None
    assert torch.allclose(norms[:, 0], by_hand, rtol=1e-5)


def test_channels_last_maps_are_recognised() -> None:
    model = adapt(torchvision("swin_t"), transform=SMALL)
    maps: list[Tensor] = []
    handle = model.net.get_submodule(model.block_names[0]).register_forward_hook(lambda m, a, out: maps.append(out))
    with torch.no_grad():
        norms = model(torch.randn(2, 3, 64, 64), norms=True).norms
    handle.remove()
    assert norms is not None
    assert maps[0].shape == (2, 16, 16, 96)
    assert torch.allclose(norms[:, 0], feature_norm(maps[0].movedim(-1, 1)), rtol=1e-5)


def test_a_plain_network_with_functional_activations_has_its_convolutions_as_blocks() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3)
            self.bn = nn.BatchNorm2d(5)
            self.fc = nn.Linear(5, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.bn(self.two(F.relu(self.one(x))))
            return self.fc(F.relu(x).amax((2, 3)))

    assert adapt(Plain(), transform=SMALL).block_names == ("one", "bn")


def test_a_network_inside_a_network_is_opened() -> None:
    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torchvision("resnet18")

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x * 2)

    model = adapt(Wrapper(), transform=SMALL)
    assert model.head_name == "inner.fc"
    assert model.block_names[0] == "inner.layer1.0"
    assert len(model.block_names) == 8


def test_a_one_by_one_convolution_can_be_the_head() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 4, 1), nn.Flatten())
    model = adapt(net, transform=SMALL)
    outputs = model(torch.randn(2, 3, 16, 16))
    assert outputs.features.shape == (2, 8)
    assert torch.allclose(model.head(outputs.features), outputs.logits, atol=1e-6)


def test_a_head_without_bias_has_bias_zero() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4, bias=False)
    )
    assert adapt(net, transform=SMALL).head.bias.tolist() == [0.0] * 4


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.head, self.head_dist = nn.Linear(6, 4), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return (self.head(x.mean((2, 3))) + self.head_dist(x.amax((2, 3)))) / 2


@pytest.mark.parametrize(
    ("net", "says"),
    [
        (TwoHeads(), "two heads whose answers are averaged"),
        (nn.Sequential(nn.Flatten(), nn.Linear(12288, 4), nn.Softmax(dim=1)), "No single linear layer"),
        (nn.Sequential(nn.Conv2d(3, 4, 3)), r"logits of shape \(images, classes\)"),
        (nn.Sequential(nn.Linear(7, 4)), "fails on images of shape"),
    ],
)
def test_networks_whose_head_cannot_be_found_are_refused(net: nn.Module, says: str) -> None:
    with pytest.raises(CheckpointError, match=says):
        adapt(net, transform=SMALL)


def test_a_distilled_transformer_of_timm_is_refused() -> None:
    with pytest.raises(CheckpointError, match="two heads"):
        adapt(timm("deit_tiny_distilled_patch16_224"))


def test_a_wrong_number_of_classes_is_a_sentence() -> None:
    with pytest.raises(CheckpointError, match="4 outputs; 3 classes"):
        adapt(InPlace(), classes=("a", "b", "c"), transform=SMALL)


def test_four_threads_on_one_model_do_not_mix() -> None:
    model = adapt(InPlace(), transform=SMALL)
    batches = [torch.randn(1 + i % 3, 3, 16, 16) for i in range(120)]

    def run(x: Tensor) -> list[Tensor]:
        with torch.no_grad():
            return [part for part in model(x, norms=len(x) != 2)[:3] if part is not None]

    alone = [run(x) for x in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(run, batches))
    for one, other in zip(alone, together, strict=True):
        assert len(one) == len(other)
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_copy_has_hooks_of_its_own() -> None:
    model = adapt(InPlace(), transform=SMALL)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        assert float(twin(x, norms=True).norms.min()) > 0
        assert float(model(x, norms=True).norms.max()) == 0
        assert not torch.equal(twin(x).features, model(x).features)


def test_nothing_of_a_pass_is_kept_after_it() -> None:
    model = adapt(InPlace(), transform=SMALL)
    model(torch.randn(1, 3, 16, 16), norms=True)
    assert model.caught.features is None
    assert model.caught.norms is None


def test_gradients_reach_the_images_and_the_weights() -> None:
    model = adapt(
        nn.Sequential(*list(InPlace().children())[:1], nn.Flatten(), nn.Linear(6 * 64 * 64, 4)), transform=SMALL
    )
    x = torch.randn(2, 3, 64, 64, requires_grad=True)
    model(x).logits.sum().backward()
    assert x.grad is not None


def test_collect_works_on_an_adapted_model() -> None:
    transform = replace(SMALL, size=32, resize=None)
    model: Adapted = adapt(InPlace(), classes=CLASSES, transform=transform)
    bank = collect(model, image_set(10), batch_size=4)
    assert bank.outputs.norms is not None
    assert bank.outputs.norms.shape == (10, 3)
    assert bool((bank.labels >= 0).all())


def test_what_was_assumed_is_said() -> None:
    said = adapt(InPlace()).notes[-1]
    assert "Assumed: ImageNet" in said
    assert not any("Assumed" in note for note in adapt(InPlace(), transform=SMALL).notes)


def test_our_own_networks_could_be_adapted_too() -> None:
    """The search finds the blocks that our classes name, in a network that it does not know."""

    class Logits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = build("resnet-8", 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x).logits

    model = adapt(Logits(), transform=SMALL)
    assert model.head_name == "net.fc"
    assert model.block_names == ("net.blocks.0", "net.blocks.1", "net.blocks.2")


@pytest.mark.gpu
def test_an_adapted_model_works_on_cuda() -> None:
    net = torchvision("resnet18").cuda()
    outputs = adapt(net, transform=SMALL)(torch.randn(2, 3, 64, 64, device="cuda"), norms=True)
    assert outputs.norms is not None
    assert outputs.norms.is_cuda
