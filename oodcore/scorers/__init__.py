"""Outputs → scores, one method per file. HIGHER = MORE OUT-OF-DISTRIBUTION, without exception.

A scorer is a frozen dataclass of numbers. `fit(bank)` turns it into a `Fitted`, which is called with `Outputs`
and gives one score per row. An unfitted scorer cannot be called. A scorer never sees a network or an image;
the few that need gradients fit to a `GradientFitted`, whose passes `oodcore.panel` runs and shares.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from oodcore.records import Evidence, Outputs
from oodcore.registry import Registry

__all__ = ["Fitted", "GradientFitted", "Info", "Scorer", "scorers"]

F = TypeVar("F", bound="Fitted")  # `Self` where a run-time type checker can follow it

Need = Literal["logits", "features", "head", "norms", "embeddings", "gradients"]


class Info(NamedTuple):
    """What a reader wants to know of a scorer before running it."""

    title: str
    """Name in the field's words, as `"Relative Mahalanobis"`."""
    needs: tuple[Need, ...]
    """What it reads of `Outputs`, the bank or the network."""
    source: str
    """Paper and equation."""
    fits: bool
    """Whether it learns from in-distribution data. If not, `fit()` needs no bank."""


@dataclass(frozen=True, slots=True)
class Fitted(ABC):
    """Statistics as tensors; called with outputs of the same network. A dataclass, so that a panel can save it."""

    @abstractmethod
    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        """One score per row, higher is more out-of-distribution."""

    def to(self: F, device: torch.device | str, /) -> F:
        """The same statistics on another device."""
        moved = {field.name: _moved(getattr(self, field.name), device) for field in fields(self)}
        return replace(self, **moved)


def _moved(value: Any, device: torch.device | str) -> Any:
    if isinstance(value, Tensor | Fitted):
        return value.to(device)
    if isinstance(value, tuple):
        parts = [_moved(part, device) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


@dataclass(frozen=True, slots=True)
class GradientFitted(Fitted):
    """A score that looks again at perturbed images. The panel differentiates, perturbs and runs the second pass."""

    @abstractmethod
    def objective(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        """What is differentiated with respect to the images, one value per row."""

    @abstractmethod
    def perturb(
        self, images: Float[Tensor, "n c h w"], gradient: Float[Tensor, "n c h w"], std: Float[Tensor, " c"], /
    ) -> Float[Tensor, "n c h w"]:
        """Images of the second pass; `images` are normalised, `std` is what they were divided by."""


@runtime_checkable
class Scorer(Protocol):
    """Numbers that, with evidence, become a function."""

    info: ClassVar[Info]

    def fit(self, bank: Evidence | None = None, /) -> Fitted:
        """Learn from in-distribution outputs. Scorers with `info.fits` False ignore the bank."""
        ...


scorers: Registry[type[Scorer]] = Registry("scorer", __name__)
