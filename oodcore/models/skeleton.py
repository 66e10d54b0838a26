"""Keys and shapes of a network's weights without making them."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

__all__ = ["skeleton"]


class _NoFilling(TorchFunctionMode):
    """Leaves tensors of the meta device alone: they hold nothing, and filling them makes torch import its compiler."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name, given = getattr(function, "__name__", ""), (*args, *(kwargs or {}).values())
        if name.endswith("_") and not name.endswith("__") and isinstance(given[0], Tensor) and given[0].is_meta:
            return given[0]
        return function(*args, **(kwargs or {}))


def skeleton(make: Callable[[], nn.Module], /) -> dict[str, Tensor]:
    """The state dict of what `make` builds, on the meta device where that is possible."""
    try:
        with torch.device("meta"), _NoFilling():
            return dict(make().state_dict())
    except RuntimeError:  # some networks read numbers out of tensors while they are built
        return dict(make().state_dict())
