"""The networks against code that shares nothing with them."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from oodcore.errors import CheckpointError, UnknownNameError
from oodcore.functional import feature_norm
from oodcore.models import Classifier, architectures, build
from oodcore.models.foreign import recognise

Tensors = dict[str, Tensor]


def images(n: int = 3, side: int = 32) -> Tensor:
    return torch.randn(n, 3, side, side)


def shaken(model: nn.Module) -> nn.Module:
    """BatchNorm statistics and biases that are not the identity."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_mean"):
                tensor.uniform_(-0.2, 0.2)
            elif name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif name.endswith("bias"):
                tensor.uniform_(-0.1, 0.1)
    return model.eval()


def from_foreign(tensors: Tensors) -> Classifier:
    found = recognise(tensors)
    assert found is not None
    model = build(found.architecture, found.outputs)
    model.load_state_dict(found.tensors)
    return model.eval()


def norm(x: Tensor, w: Tensors, name: str) -> Tensor:
    return F.batch_norm(
        x, w[f"{name}.running_mean"], w[f"{name}.running_var"], w[f"{name}.weight"], w[f"{name}.bias"], eps=1e-5
    )


def test_wide_resnet_agrees_with_pytorch_ood() -> None:
    from pytorch_ood.model import WideResNet

    reference = shaken(WideResNet(num_classes=7, depth=16, widen_factor=2))
    model, x = from_foreign(dict(reference.state_dict())), images()
    assert model.architecture == "wrn-16-2"
    with torch.no_grad():
        assert torch.allclose(model(x).logits, reference(x), atol=1e-5)


def test_wide_resnet_norms_are_of_sums_before_any_activation() -> None:
    """FeatureNorm of the first block, from the formulas of a pre-activation block."""
    model, x = shaken(build("wrn-10-1", 4)), images()
    w = dict(model.state_dict())
    z = F.conv2d(x, w["stem.weight"], padding=1)
    active = F.relu(norm(z, w, "blocks.0.bn1"))
    hidden = F.relu(norm(F.conv2d(active, w["blocks.0.conv1.weight"], padding=1), w, "blocks.0.bn2"))
    maps = z + F.conv2d(hidden, w["blocks.0.conv2.weight"], padding=1)
    assert bool((maps < 0).any())
    with torch.no_grad():
        norms = model(x, norms=True).norms
    assert norms is not None
    assert torch.allclose(norms[:, 0], feature_norm(maps), rtol=1e-5)


def kuangliu(width: int = 64, outputs: int = 5) -> Tensors:
    """A random ResNet-18 in the naming of kuangliu/pytorch-cifar, with an unused projection head."""
    weights: Tensors = {}

    def conv(name: str, inside: int, outside: int, side: int) -> None:
        weights[f"{name}.weight"] = torch.randn(outside, inside, side, side) * (2 / (inside * side**2)) ** 0.5

    def bn(name: str, c: int) -> None:
        for key, value in (("weight", torch.rand(c) + 0.5), ("bias", torch.randn(c) * 0.1)):
            weights[f"{name}.{key}"] = value
        weights[f"{name}.running_mean"], weights[f"{name}.running_var"] = torch.randn(c) * 0.1, torch.rand(c) + 0.5

    conv("conv1", 3, width, 3)
    bn("bn1", width)
    inside = width
    for stage in (1, 2, 3, 4):
        outside = width * 2 ** (stage - 1)
        for index in (0, 1):
            block = f"layer{stage}.{index}"
            conv(f"{block}.conv1", inside, outside, 3)
            bn(f"{block}.bn1", outside)
            conv(f"{block}.conv2", outside, outside, 3)
            bn(f"{block}.bn2", outside)
            if inside != outside:
                conv(f"{block}.shortcut.0", inside, outside, 1)
                bn(f"{block}.shortcut.1", outside)
            inside = outside
    weights["linear.weight"], weights["linear.bias"] = torch.randn(outputs, inside) * 0.05, torch.randn(outputs)
    weights["projection.0.weight"], weights["projection.0.bias"] = torch.randn(8, inside), torch.randn(8)
    return weights


def resnet18_by_hand(x: Tensor, w: Tensors) -> list[Tensor]:
    """Block outputs, then logits."""
    x = F.relu(norm(F.conv2d(x, w["conv1.weight"], padding=1), w, "bn1"))
    found = []
    for stage in (1, 2, 3, 4):
        for index in (0, 1):
            b, stride = f"layer{stage}.{index}", 2 if stage > 1 and index == 0 else 1
            y = F.relu(norm(F.conv2d(x, w[f"{b}.conv1.weight"], stride=stride, padding=1), w, f"{b}.bn1"))
            y = norm(F.conv2d(y, w[f"{b}.conv2.weight"], padding=1), w, f"{b}.bn2")
            if f"{b}.shortcut.0.weight" in w:
                x = norm(F.conv2d(x, w[f"{b}.shortcut.0.weight"], stride=stride), w, f"{b}.shortcut.1")
            x = F.relu(x + y)
            found.append(x)
    return [*found, F.avg_pool2d(x, 4).flatten(1) @ w["linear.weight"].T + w["linear.bias"]]


def test_resnet18_agrees_with_its_formulas_block_by_block() -> None:
    weights, x = kuangliu(), images(2)
    model = from_foreign(weights)
    *maps, logits = resnet18_by_hand(x, weights)
    assert [tuple(m.shape[1:]) for m in maps[5:]] == [(256, 8, 8), (512, 4, 4), (512, 4, 4)]
    with torch.no_grad():
        outputs = model(x, norms=True)
    assert torch.allclose(outputs.logits, logits, atol=1e-4, rtol=1e-4)
    assert outputs.norms is not None
    assert torch.allclose(outputs.norms, torch.stack([feature_norm(m) for m in maps], 1), rtol=1e-4)


def published_vgg() -> nn.Module:
    layers: list[nn.Module] = []
    inside = 3
    for width in (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"):
        if width == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(inside, int(width), 3, padding=1), nn.ReLU()]
            inside = int(width)
    net = nn.Module()
    net.features = nn.Sequential(*layers)
    net.classifier = nn.Sequential(
        nn.Linear(512, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 6)
    )
    return net.eval()


def test_vgg11_reads_its_fourth_block_after_the_pool() -> None:
    reference, x = published_vgg(), images(2) * 3
    model = from_foreign(dict(reference.state_dict()))
    maps, z = {}, x
    for index, layer in enumerate(reference.get_submodule("features")):
        z = maps[index] = layer(z)
    picked = [maps[index] for index in (1, 4, 7, 10, 12, 14, 17, 19)]
    with torch.no_grad():
        outputs = model(x, norms=True)
    assert maps[10].shape[2:] == (4, 4)
    assert picked[5].shape[1:] == (512, 4, 4)
    assert torch.allclose(outputs.logits, reference.get_submodule("classifier")(z.flatten(1)), atol=1e-6)
    assert outputs.norms is not None
    assert torch.allclose(outputs.norms, torch.stack([feature_norm(m) for m in picked], 1), rtol=1e-4)


def test_cifar_resnet_shortcut_skips_pixels_and_pads_channels() -> None:
    """With a silent second convolution a block is the ReLU of its shortcut."""
    model = build("resnet-8", 3).eval()
    block = model.blocks[1]
    nn.init.zeros_(block.get_submodule("bn2").weight)
    maps = torch.rand(2, 16, 8, 8)
    with torch.no_grad():
        out = block(maps)
    assert out.shape == (2, 32, 4, 4)
    assert torch.equal(out[:, 8:24], maps[:, :, ::2, ::2])
    assert float(out[:, :8].abs().max()) == float(out[:, 24:].abs().max()) == 0


@pytest.mark.parametrize(
    ("architecture", "parameters", "blocks", "features"),
    [
        ("resnet-20", 269_722, 9, 64),
        ("resnet-20-w4", 17_326, 9, 16),
        ("resnet-56", 853_018, 27, 64),
        ("resnet-110", 1_727_962, 54, 64),
        ("resnet18", 11_173_962, 8, 512),
        ("wrn-40-2", 2_243_546, 18, 128),
        ("vgg11", 9_750_922, 8, 512),
    ],
)
def test_sizes_are_the_published_ones(architecture: str, parameters: int, blocks: int, features: int) -> None:
    model = build(architecture, 10)
    assert model.architecture == architecture
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert (len(model.block_names), model.fc.in_features) == (blocks, features)


@pytest.mark.parametrize("architecture", ["resnet-20", "resnet-20-w4", "resnet18", "vgg11", "wrn-10-2"])
def test_logits_are_the_head_of_the_features(architecture: str) -> None:
    model, x = shaken(build(architecture, 10)), images()
    with torch.no_grad():
        with_norms, without = model(x, norms=True), model(x)
    assert without.norms is None
    assert torch.equal(with_norms.logits, without.logits)
    assert torch.allclose(model.head(with_norms.features), with_norms.logits, atol=1e-5)
    assert with_norms.norms is not None
    assert with_norms.norms.shape == (3, len(model.block_names))
    assert not model.head.weight.requires_grad


@pytest.mark.parametrize("architecture", ["resnet-14", "vgg11", "wrn-10-1"])
def test_training_works_through_the_in_place_operations(architecture: str) -> None:
    model, x = build(architecture, 3), images(4)
    model(x, norms=True).logits.square().sum().backward()
    missing = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert missing == []


def test_dropout_acts_in_training_only() -> None:
    model, x = build("wrn-10-1", 3, dropout=0.5), images()
    model.eval()
    assert torch.equal(model(x).logits, model(x).logits)
    model.train()
    assert not torch.equal(model(x).logits, model(x).logits)


def test_classes_are_names_or_a_number() -> None:
    assert build("resnet-8", ["cat", "dog"]).classes == ("cat", "dog")
    assert build("resnet-8", 2).classes == ("class 0", "class 1")


@pytest.mark.parametrize("name", architectures)
def test_every_listed_architecture_has_a_builder(name: str) -> None:
    from oodcore.models.skeleton import skeleton

    assert skeleton(lambda: build(name, 10))["fc.weight"].shape[0] == 10


def test_an_unknown_architecture_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'resnet18'"):
        build("resnet-18x", 10)


@pytest.mark.parametrize("name", ["resnet-21", "wrn-41-2", "wrn-40-0", "resnet-20-w3", "resnet-2"])
def test_an_impossible_depth_or_width_is_a_sentence(name: str) -> None:
    with pytest.raises(CheckpointError, match=r"depth 6·n"):
        build(name, 10)


def test_threads_that_share_a_model_see_their_own_norms() -> None:
    from concurrent.futures import ThreadPoolExecutor

    model = build("resnet-8", 3).eval()
    batches = [images(2) for _ in range(24)]
    with torch.no_grad():
        alone = [model(x, norms=True).norms for x in batches]

    def run(x: Tensor) -> Tensor:
        with torch.no_grad():
            return model(x, norms=True).norms

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(run, batches))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.gpu
@pytest.mark.parametrize("architecture", ["resnet-20", "wrn-10-2", "resnet18", "vgg11"])
def test_cuda_agrees_with_the_cpu(architecture: str) -> None:
    model, x = shaken(build(architecture, 10)), images(4)
    with torch.no_grad():
        here = model(x, norms=True)
        there = model.cuda()(x.cuda(), norms=True)
    assert there.logits.is_cuda
    for a, b in zip(here[:3], there[:3], strict=True):
        assert torch.allclose(a, b.cpu(), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", ["wrn-100000-10", "wrn-16-9999999", "resnet-20-w4000", "resnet-99999999999999999998"])
def test_a_name_that_would_take_all_memory_is_refused(name: str) -> None:
    with pytest.raises(CheckpointError, match="depth ends at"):
        build(name, 10)
