"""Networks of torchvision and timm, by name or by their bare state dict."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import parse_qs

from torch import Tensor, nn

from oodcore.data.transforms import Interpolation, Preprocessing
from oodcore.errors import CheckpointError, UnknownNameError
from oodcore.models.adapters import IMAGENET, adapt
from oodcore.models.class_lists import usual_classes
from oodcore.models.foreign import CHANGE, compare
from oodcore.models.network import Network
from oodcore.models.skeleton import skeleton
from oodcore.models.weights_file import Upload, read_weights

__all__ = ["bytes_of", "from_name", "from_weights"]

Classes = int | Sequence[str] | None

# A key that only these families have → beginnings of their names. Within a family, shapes decide.
TORCHVISION = (
    (r"layer1\.0\.downsample\.0\.weight|layer1\.0\.bn1\.weight", ("resnet", "resnext", "wide_resnet")),
    (r"features\.denseblock1\.denselayer1\.norm1\.weight", ("densenet",)),
    (r"classifier\.6\.weight", ("vgg", "alexnet")),
    (r"features\.1\.block\.0\.0\.weight|features\.1\.0\.block\.0\.0\.weight", ("mobilenet_v3", "efficientnet")),
    (r"features\.1\.conv\.0\.0\.weight", ("mobilenet_v2",)),
    (r"features\.1\.0\.layer_scale", ("convnext",)),
    (r"features\.1\.0\.attn\.qkv\.weight", ("swin",)),
    (r"encoder\.layers\.encoder_layer_0\.ln_1\.weight", ("vit",)),
    (r"trunk_output\.block1\.block1-0\.f\.a\.0\.weight", ("regnet",)),
    (r"inception3a\.branch1\.conv\.weight", ("googlenet",)),
    (r"Mixed_5b\.branch1x1\.conv\.weight", ("inception",)),
    (r"stage2\.0\.branch1\.0\.weight", ("shufflenet",)),
    (r"layers\.8\.0\.layers\.0\.weight", ("mnasnet",)),
    (r"blocks\.0\.layers\.0\.layers\.MBconv\.layers\.pre_norm\.weight", ("maxvit",)),
)
TIMM = (
    (r"blocks\.0\.attn\.qkv\.weight", (
        "vit_tiny_patch16_224", "vit_small_patch16_224", "vit_small_patch32_224", "vit_base_patch16_224",
        "vit_base_patch32_224", "vit_base_patch8_224", "vit_large_patch16_224", "vit_small_patch16_384",
        "vit_base_patch16_384", "deit3_small_patch16_224", "deit3_base_patch16_224",
    )),
    (r"stages\.0\.blocks\.0\.conv_dw\.weight", (
        "convnext_atto", "convnext_femto", "convnext_pico", "convnext_nano", "convnext_tiny", "convnext_small",
        "convnext_base", "convnextv2_atto", "convnextv2_nano", "convnextv2_tiny", "convnextv2_base",
    )),
    (r"layers\.0\.blocks\.0\.attn\.relative_position_bias_table", (
        "swin_tiny_patch4_window7_224", "swin_small_patch4_window7_224", "swin_base_patch4_window7_224",
    )),
    (r"conv_stem\.weight", (
        "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4",
        "tf_efficientnetv2_s", "mobilenetv3_small_100", "mobilenetv3_large_100",
    )),
    (r"stages\.0\.blocks\.0\.norm1\.weight", ("resnetv2_50x1_bit", "resnetv2_101x1_bit")),
    (r"layer1\.0\.bn3\.weight", ("resnet26d", "resnet50d", "seresnet50")),
)  # fmt: skip


HEAD = re.compile(r"(?:^|\.)(?:fc|linear|last_linear|head|heads\.head|classifier)(?:\.(\d+))?\.weight$")


def from_name(name: str, *, weights: str | None = None, classes: Classes = None) -> Network:
    """A network by `"torchvision:NAME"` or `"timm:NAME"`, pre-trained unless told otherwise.

    Args:
        name: May end in `?weights=none`, `?weights=PATH`, or `?weights=IMAGENET1K_V2` (torchvision).
        weights: The same, by argument.
        classes: Names of the logits, or how many, where the weights are random or from a file.

    Raises:
        UnknownNameError: the library has no such model.
        CheckpointError: the library is missing, the download fails, or the network is no classifier.
    """
    library, _, rest = name.partition(":")
    model, _, query = rest.partition("?")
    weights = weights or parse_qs(query).get("weights", ["default"])[0]
    architecture = f"{library}:{model}"
    if weights in ("none", "default") or not Path(weights).is_file():
        make = _torchvision if library == "torchvision" else _timm
        return make(model, weights, classes)
    tensors = read_weights(Path(weights)).tensors
    return _load_into(architecture, tensors, [f"Weights of '{Path(weights).name}'."], classes)


def from_weights(tensors: dict[str, Tensor], path: Path | Upload) -> Network:
    """The torchvision or timm network that a bare state dict belongs to, by its keys and shapes.

    Raises:
        CheckpointError: none of the known ones.
    """
    named = _named_beside(path) if isinstance(path, Path) else []
    for architecture in (*named, *_candidates(tensors)):
        if _agrees(architecture, tensors):
            note = f"Recognised as {architecture}, by keys and shapes (a variant of the same shapes would look alike)."
            return _load_into(architecture, tensors, [note], None)
    keys = ", ".join(f"'{key}'" for key in list(tensors)[:3])
    sentence = (
        f"'{path.name}' holds {len(tensors)} tensors ({keys}, …) that match no network known here. Known are WRN, "
        "CIFAR ResNet, CIFAR ResNet-18, VGG-11, and many of torchvision and timm"
    )
    hint = f"; name the network if it is one of those: 'torchvision:resnet50?weights={path}'"
    raise CheckpointError(f"{sentence}{hint if isinstance(path, Path) else ''}.")


def bytes_of(name: str) -> int:
    """Size of a network's weights, counted on shapes alone: nothing is fetched, and no memory taken.

    Args:
        name: As `"timm:NAME"`.

    Raises:
        UnknownNameError: the library has no such model.
        CheckpointError: the library is missing.
    """
    library, _, model = name.partition(":")
    _require_model(library, model)
    shapes = skeleton(lambda: _bare(name, None))
    return sum(tensor.numel() * tensor.element_size() for tensor in shapes.values())


def _load_into(architecture: str, tensors: dict[str, Tensor], notes: list[str], classes: Classes) -> Network:
    outputs = _outputs(tensors)
    if outputs is None:
        raise CheckpointError(
            f"The weights for {architecture} have no head: no key ends in fc.weight, head.weight or classifier.weight."
        )
    usual = usual_classes(outputs)
    model = from_name(architecture, weights="none", classes=classes or (usual[1] if usual else outputs))
    net: Any = model.get_submodule("net")
    compare(tensors, net.state_dict(), architecture)
    net.load_state_dict(tensors)
    model.transform = replace(model.transform, assumed=True)
    assumed = f"Assumed: mean and std of {architecture}'s own weights. {CHANGE}"
    model.notes = [*notes, *(note for note in model.notes if "random" not in note), assumed]
    return model


def _torchvision(name: str, weights: str, classes: Classes) -> Network:
    from torchvision import models

    from oodcore.models.dense import segment

    _require_model("torchvision", name)
    dense = models.list_models(module=models.segmentation)
    chosen = _torchvision_weights(name, weights)
    options: dict[str, Any] = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    if name in dense:
        options["weights_backbone"] = None
    if chosen is None:
        options["num_classes"] = _count(classes) or (21 if name in dense else 1000)
    try:
        net = models.get_model(name, weights=chosen, **(options if chosen is None else {}))
    except (URLError, OSError, RuntimeError) as error:
        raise CheckpointError(_no_download(f"torchvision:{name}", error)) from None
    if chosen is not None:
        classes = chosen.meta["categories"]
    transform = _preset(models.get_model_weights(name))
    wrap = segment if name in dense else adapt
    model = wrap(net, classes=_names(classes), transform=transform, architecture=f"torchvision:{name}")
    model.notes.append(f"Weights {chosen} of torchvision." if chosen else "The weights are random: nothing was loaded.")
    return model


def _require_model(library: str, name: str) -> None:
    if library == "torchvision":
        from torchvision import models

        known = [*models.list_models(module=models), *models.list_models(module=models.segmentation)]
        if name not in known:
            raise UnknownNameError(_unknown("torchvision model", name, known))
        return
    try:
        import timm
    except ModuleNotFoundError:
        raise CheckpointError(f"'timm:{name}' needs timm: pip install timm.") from None
    if not timm.is_model(name.partition(".")[0]):
        raise UnknownNameError(_unknown("timm model", name, timm.list_models()))


def _torchvision_weights(name: str, weights: str) -> Any:
    from torchvision.models import get_model_weights

    if weights == "none":
        return None
    available = get_model_weights(name)
    if weights == "default":
        return available["DEFAULT"]
    if weights not in available.__members__:
        raise UnknownNameError(
            f"'{weights}' is neither a file nor weights of {name}. Known: {', '.join(available.__members__)}, none."
        )
    return available[weights]


def _preset(available: Any) -> Preprocessing:
    """What torchvision's weights bring as their transform, as this package's record."""
    if not len(available):
        return IMAGENET
    preset = available["DEFAULT"].transforms()
    resize = preset.resize_size[0]
    size = preset.crop_size[0] if hasattr(preset, "crop_size") else resize
    return Preprocessing(
        size=size,
        resize=max(size, resize),
        interpolation=_interpolation(str(preset.interpolation.value)),
        mean=_triple(preset.mean),
        std=_triple(preset.std),
    )


def _timm(name: str, weights: str, classes: Classes) -> Network:
    _require_model("timm", name)
    import timm

    pretrained = weights != "none"
    options: dict[str, Any] = {} if pretrained else {"num_classes": _count(classes) or 1000}
    try:
        net: Any = timm.create_model(name, pretrained=pretrained, **options)
    except (URLError, OSError, RuntimeError) as error:
        raise CheckpointError(_no_download(f"timm:{name}", error)) from None
    config = _timm_config(net)
    if pretrained:
        usual = usual_classes(net.num_classes)
        classes = usual[1] if usual else net.num_classes
    model = adapt(net, classes=_names(classes), transform=_timm_transform(config), architecture=f"timm:{name}")
    model.notes.append("Weights of timm." if pretrained else "The weights are random: nothing was loaded.")
    return model


def _timm_config(net: nn.Module) -> Mapping[str, Any]:
    from timm import data

    resolve: Any = data.__dict__["resolve_model_data_config"]  # timm's stubs do not list it
    config: Mapping[str, Any] = resolve(net)
    return config


def _timm_transform(config: Mapping[str, Any]) -> Preprocessing:
    size = int(config["input_size"][-1])
    return Preprocessing(
        size=size,
        resize=max(size, int(size / float(config.get("crop_pct") or 1))),  # floored, as timm does
        interpolation=_interpolation(str(config["interpolation"])),
        mean=_triple(config["mean"]),
        std=_triple(config["std"]),
    )


def _interpolation(name: str) -> Interpolation:
    return "bilinear" if name == "bilinear" else "bicubic"


def _triple(values: Iterable[float]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _count(classes: Classes) -> int | None:
    return classes if classes is None or isinstance(classes, int) else len(classes)


def _names(classes: Classes) -> Classes:
    return classes if classes is None or isinstance(classes, int) else tuple(classes)


def _unknown(kind: str, name: str, known: Sequence[str]) -> str:
    """With the nearest few: timm alone has over a thousand."""
    close = difflib.get_close_matches(name, known, n=5, cutoff=0.5)
    hint = f" Did you mean {' or '.join(repr(one) for one in close)}?" if close else ""
    return f"No {kind} is called '{name}'.{hint}"


def _no_download(name: str, error: Exception) -> str:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return (
        f"The weights of {name} could not be downloaded ({reason}). Check the network, give a file "
        f"('{name}?weights=PATH'), or take random weights ('{name}?weights=none')."
    )


def _named_beside(path: Path) -> list[str]:
    """Files from the Hugging Face hub lie beside a `config.json` that names the timm model."""
    config = path.with_name("config.json")
    if not config.is_file():
        return []
    try:
        name = json.loads(config.read_text("utf-8"))["architecture"]
    except (ValueError, KeyError, TypeError):
        return []
    return [f"timm:{name}"] if isinstance(name, str) else []


def _candidates(tensors: Mapping[str, Tensor]) -> list[str]:
    from torchvision import models

    names = models.list_models(module=models)
    families = [begin for mark, begins in TORCHVISION if _has(tensors, mark) for begin in begins]
    found = [f"torchvision:{name}" for begin in families for name in names if name.startswith(begin)]
    return found + [f"timm:{name}" for mark, usual in TIMM if _has(tensors, mark) for name in usual]


def _has(tensors: Mapping[str, Tensor], mark: str) -> bool:
    return any(re.fullmatch(mark, key) for key in tensors)


def _agrees(architecture: str, tensors: Mapping[str, Tensor]) -> bool:
    """Whether the network of this name, with as many outputs, has the same keys and shapes."""
    outputs = _outputs(tensors)
    if outputs is None:
        return False
    try:
        expected = skeleton(lambda: _bare(architecture, outputs))
    except (ImportError, RuntimeError, ValueError, TypeError, NotImplementedError):
        return False
    return expected.keys() == tensors.keys() and all(expected[key].shape == tensors[key].shape for key in expected)


def _bare(architecture: str, outputs: int | None) -> nn.Module:
    """Without weights; None leaves the number of outputs to the library."""
    library, _, name = architecture.partition(":")
    options: dict[str, Any] = {} if outputs is None else {"num_classes": outputs}
    if library == "timm":
        import timm

        return timm.create_model(name, **options)
    from torchvision import models

    options |= {"weights_backbone": None} if name in models.list_models(module=models.segmentation) else {}
    return models.get_model(name, weights=None, **options)


def _outputs(tensors: Mapping[str, Tensor]) -> int | None:
    """Rows of the head, by its usual names; of several (VGG's classifier), the one with the highest number."""
    heads = sorted((int(found[1] or 0), key) for key in tensors if (found := HEAD.search(key)))
    return len(tensors[heads[-1][1]]) if heads else None
