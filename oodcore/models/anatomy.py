"""What an unknown network is made of: its linear head and its blocks, found by watching one small forward pass.

The head is the Linear or 1×1 convolution whose output is the network's output. A block is a module that does more
than pass its input through its parts one after the other: one with a shortcut, or with branches. Whether the parts
form a chain is seen from the tensors themselves: each part must receive what the one before returned, unchanged
(an in-place addition leaves the tensor but moves its version).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from oodcore.errors import CheckpointError

__all__ = ["Anatomy", "Block", "dissect"]

FOLLOWERS = (
    "BatchNorm2d",
    "GroupNorm",
    "ReLU",
    "ReLU6",
    "GELU",
    "SiLU",
    "Hardswish",
    "LeakyReLU",
    "ELU",
    "Mish",
    "PReLU",
)


class Block(NamedTuple):
    """A module that FeatureNorm may read."""

    name: str
    channels: int
    """Axis of its output that counts channels: 1 for (n, c, h, w), -1 for (n, tokens, c) and (n, h, w, c)."""


class Anatomy(NamedTuple):
    """What was found."""

    head: str
    blocks: tuple[Block, ...]
    features: int
    outputs: int


class Seen(NamedTuple):
    """A tensor at one moment; the tensor is kept, so that no other takes its address."""

    tensor: Tensor
    version: int

    @classmethod
    def of(cls, value: Any) -> "Seen | None":
        """The tensor of a call's arguments or result; None for anything but one tensor first."""
        if isinstance(value, tuple | list) and value:
            value = value[0]
        return cls(value, value._version) if isinstance(value, Tensor) else None

    def same(self, other: "Seen | None") -> bool:
        return other is not None and self.tensor is other.tensor and self.version == other.version


@dataclass(slots=True)
class Call:
    """A module's one call."""

    module: nn.Module
    order: int
    inside: Seen | None
    outside: Seen | None = None
    shape: tuple[int, ...] = ()
    children: list[str] = field(default_factory=list)


def dissect(net: nn.Module, images: Tensor, /) -> Anatomy:
    """Head and blocks of a classifier.

    Args:
        net: In eval mode.
        images: One or two normalised images, square.

    Raises:
        CheckpointError: the forward pass fails, or no linear layer gives the network's output.
    """
    calls, logits = _watch(net, images)
    head = _head(calls, logits)
    before = {name: call for name, call in calls.items() if call.order < calls[head].order}
    blocks = _blocks(before, head, images)
    features = calls[head].inside
    if features is None:
        raise CheckpointError("The last linear layer of this network takes no tensor.")
    width = features.tensor.flatten(1).shape[1]
    return Anatomy(head, tuple(_described(name, calls[name].shape) for name in blocks), width, logits.shape[1])


def _watch(net: nn.Module, images: Tensor) -> tuple[dict[str, Call], Tensor]:
    """Every module that is called exactly once, in the order in which the calls end."""
    calls: dict[str, Call] = {}
    times: Counter[str] = Counter()
    handles = []
    for name, module in net.named_modules():
        if name:
            handles += _listeners(name, module, calls, times)
    try:
        with torch.no_grad():  # inference mode would leave tensors without versions
            logits = net(images)
    except Exception as error:
        raise CheckpointError(f"The network fails on images of shape {tuple(images.shape)}: {error}") from None
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        kind = (
            f"a tensor of shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
        )
        raise CheckpointError(f"A classifier must give logits of shape (images, classes); this network gives {kind}.")
    return {name: call for name, call in calls.items() if call.outside is not None and times[name] == 1}, logits


def _listeners(name: str, module: nn.Module, calls: dict[str, Call], times: Counter[str]) -> list[Any]:
    def enter(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        times[name] += 1
        calls[name] = Call(module, -1, Seen.of(args or tuple(kwargs.values())))

    def leave(_: nn.Module, args: tuple[Any, ...], result: Any) -> None:
        call = calls.pop(name)  # popped and put back, so that the order is that of leaving
        call.order, call.outside = sum(times.values()), Seen.of(result)
        call.shape = tuple(result.shape) if isinstance(result, Tensor) else ()
        calls[name] = call

    return [module.register_forward_pre_hook(enter, with_kwargs=True), module.register_forward_hook(leave)]


def _head(calls: dict[str, Call], logits: Tensor) -> str:
    linear = [name for name, call in calls.items() if _is_linear(call.module)]
    for name in reversed(linear):
        call = calls[name]
        if call.outside is not None and _same_values(call.outside.tensor, logits):
            return name
    ending = [
        call.outside.tensor.flatten(1) for name, call in calls.items()
        if name in linear and call.outside is not None and call.outside.tensor.flatten(1).shape == logits.shape
    ]  # fmt: skip
    if len(ending) >= 2 and _same_values((ending[-1] + ending[-2]) / 2, logits):
        raise CheckpointError(
            "This is a distilled network with two heads whose answers are averaged, so no one linear layer gives its "
            "logits. Take the variant without distillation."
        )
    raise CheckpointError(
        "No single linear layer gives this network's logits (something follows its last Linear or 1×1 convolution), so "
        "features and head cannot be separated. Take another network, or write it as an oodcore.models.Network."
    )


def _blocks(calls: dict[str, Call], head: str, images: Tensor) -> list[str]:
    """From the top down; what holds the head is opened, and so is whatever would be the only block."""
    parts = _parts(calls)
    opened = {head[:end] for end, letter in enumerate(head) if letter == "."}
    while True:
        found = _outermost(calls, parts, opened)
        if len(found) >= 2 or not any(parts[name] for name in found):
            break
        opened |= set(found)
    found = [name for name in found if _between(calls[name], images)]
    return found if len(found) >= 2 else _convolutions(calls)


def _outermost(calls: dict[str, Call], parts: dict[str, list[str]], opened: set[str]) -> list[str]:
    """Modules that branch, and others of their class: a bottleneck that halves the maps has no shortcut to show."""
    closed = [name for name in calls if name not in opened]
    kinds = {type(calls[name].module) for name in closed if parts[name] and not _chain(name, parts, calls)}
    found = _outer([name for name in closed if type(calls[name].module) in kinds - {nn.Sequential}])
    # A class that occurs inside another block, as squeeze-and-excitation does, is a part and not a block.
    nested = {type(call.module) for name, call in calls.items() if any(_inside(name, block) for block in found)}
    raised = [name.rpartition(".")[0] if type(calls[name].module) in nested else name for name in found]
    return _outer([name for name in dict.fromkeys(raised) if name in calls and name not in opened])


def _between(call: Call, images: Tensor) -> bool:
    """Maps or tokens to maps or tokens; an embedding of the images themselves comes before the first block."""
    inside = call.inside
    return inside is not None and inside.tensor is not images and len(call.shape) in (3, 4)


def _parts(calls: dict[str, Call]) -> dict[str, list[str]]:
    """The called modules directly below each, in order; containers that are never called themselves are skipped."""
    below: dict[str, list[str]] = {name: [] for name in calls}
    for name in sorted(calls, key=lambda name: calls[name].order):
        above = name
        while above := above.rpartition(".")[0]:
            if above in below:
                below[above].append(name)
                break
    return below


def _chain(name: str, parts: dict[str, list[str]], calls: dict[str, Call]) -> bool:
    inner = [calls[part] for part in parts[name]]
    links = all(before.outside is not None and before.outside.same(after.inside) for before, after in pairwise(inner))
    last, whole = inner[-1].outside, calls[name].outside
    return links and last is not None and last.same(whole)


def _convolutions(calls: dict[str, Call]) -> list[str]:
    """For a plain chain such as VGG: each convolution, or the norm or activation that follows it."""
    found: list[str] = []
    for name, call in sorted(calls.items(), key=lambda item: item[1].order):
        if len(call.shape) != 4 or max(call.shape[2:]) == 1:
            continue
        if isinstance(call.module, nn.Conv2d):
            found.append(name)
        elif found and type(call.module).__name__ in FOLLOWERS:
            found[-1] = name
    return found


def _described(name: str, shape: Sequence[int]) -> Block:
    """Square maps tell height and width from channels; where all three agree, channels come first."""
    if len(shape) == 3 or (shape[1] == shape[2] != shape[3]):
        return Block(name, -1)
    return Block(name, 1)


def _outer(names: list[str]) -> list[str]:
    return [name for name in names if not any(_inside(name, other) for other in names)]


def _inside(name: str, other: str) -> bool:
    return name.startswith(f"{other}.")


def _is_linear(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv2d):
        return module.kernel_size == (1, 1) and module.groups == 1
    return isinstance(module, nn.Linear)


def _same_values(one: Tensor, other: Tensor) -> bool:
    one = one.flatten(1)
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-4, atol=1e-5)
