"""Evidence → objective, one loss per file: named, already weighted scalar terms whose sum is minimised.

A loss is a frozen dataclass of numbers. `fit(evidence)` turns it into an `Objective`, which is called with the logits
of in-distribution images, their labels, and the logits of outliers. Each side is averaged over itself. Under a running
process group weighted means are taken over the rows of all processes.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor
from typing_extensions import Protocol, runtime_checkable  # typing's own, before 3.12, computes what it looks for

from oodcore.errors import ScoreError
from oodcore.functional import wide
from oodcore.losses._contrastive import tail_contrastive
from oodcore.records import Outputs
from oodcore.registry import Registry

__all__ = ["About", "LogitObjective", "Loss", "Objective", "Terms", "losses", "tail_contrastive"]

Terms: TypeAlias = dict[str, Float[Tensor, ""]]
"""Weighted scalars by name, as `cross_entropy`, `energy_in`, `energy_out`."""


class About(NamedTuple):
    """What a reader wants to know of a loss before training with it."""

    title: str
    """Name in the field's words, as `"Balanced energy"`."""
    source: str
    """Paper and equation."""
    outliers: bool
    """Whether it needs auxiliary outliers."""
    evidence: Literal["nothing", "outlier prior", "class prior", "bank"]
    """What `fit` learns from: outlier counts per class, training images per class, or the network's outputs on
    in-distribution training images."""


@runtime_checkable
class Objective(Protocol):
    """A fitted loss, as the trainer sees it."""

    def terms(self, inside: Outputs, labels: Int[Tensor, " n"], outside: Outputs, /) -> Terms:
        """Weighted scalar terms of one batch."""
        ...

    def activity(self, inside: Outputs, outside: Outputs, /) -> Terms:
        """Share of rows, 0..1, on which each hinge pulls; empty for losses without hinges."""
        ...


class LogitObjective(ABC):
    """An objective that looks at logits alone. Half precision is widened to float32 before anything is computed."""

    __slots__ = ()

    def __call__(
        self, id_logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"], ood_logits: Float[Tensor, "m k"], /
    ) -> Terms:
        """Weighted scalar terms of one batch; each side is averaged over itself.

        Raises:
            ScoreError: no in-distribution images, or outliers that are missing or of another network.
        """
        require_batch(id_logits, ood_logits)
        with torch.autocast(id_logits.device.type, enabled=False):
            return self._terms(wide(id_logits), labels, wide(ood_logits))

    def terms(self, inside: Outputs, labels: Int[Tensor, " n"], outside: Outputs, /) -> Terms:
        """The same, from what a forward pass yields."""
        return self(inside.logits, labels, outside.logits)

    def activity(self, inside: Outputs, outside: Outputs, /) -> Terms:
        """Share of each side that is on the wrong side of its margin; empty without hinges."""
        with torch.autocast(inside.logits.device.type, enabled=False):
            return self._activity(wide(inside.logits), wide(outside.logits))

    @abstractmethod
    def _terms(self, inside: Float[Tensor, "n k"], labels: Int[Tensor, " n"], outside: Float[Tensor, "m k"]) -> Terms:
        """Of logits in at least float32."""

    def _activity(self, inside: Float[Tensor, "n k"], outside: Float[Tensor, "m k"]) -> Terms:
        return {}


@runtime_checkable
class Loss(Protocol):
    """Numbers that, with evidence, become an objective."""

    about: ClassVar[About]

    def fit(self, evidence: Any = None, /) -> Objective:
        """`about.evidence` says what it wants."""
        ...


def require_batch(id_logits: Float[Tensor, "n k"], ood_logits: Float[Tensor, "m j"]) -> None:
    """What would give NaN, as of a diverged run, or a number that means nothing.

    Raises:
        ScoreError: no in-distribution images, or outliers with another number of classes.
    """
    if not len(id_logits):
        raise ScoreError("There are no in-distribution images in this batch. Give at least one, with its class.")
    known, strange = id_logits.shape[-1], ood_logits.shape[-1]
    if known != strange:
        raise ScoreError(
            f"Logits of in-distribution images have {known} classes, those of outliers {strange}. Pass both through "
            "the same network."
        )


losses: Registry[type[Loss]] = Registry("loss", __name__)
