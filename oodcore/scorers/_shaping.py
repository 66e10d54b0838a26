"""Change the features, read the logits anew with the bank's head, let another scorer judge them.

The features are the pooled, penultimate ones, as in OpenOOD. A library that shapes the maps before pooling, as
pytorch-ood does, prunes and clips other numbers under the same name; the two agree on maps of one pixel.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from jaxtyping import Float, Float64
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Bank, Evidence, Head, Moments, Outputs, moments
from oodcore.scorers import Fitted, Need, scorers


@dataclass(frozen=True, slots=True)
class Shaped(Fitted):
    """Shape, read the logits, score. Subclasses add what their shape needs."""

    head: Head
    then: Fitted

    @abstractmethod
    def shape(self, outputs: Outputs, /) -> Float64[Tensor, "n d"]:
        """The features to read the logits from."""

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        return self.then(self.reshaped(outputs))

    def reshaped(self, outputs: Outputs, /) -> Outputs:
        """The same rows with shaped features and the logits that follow from them."""
        return _replaced(outputs, self.shape(outputs), self.head)


@dataclass(frozen=True)
class ShapedBank:
    """Evidence whose features are shaped chunk by chunk, when they are asked for."""

    bank: Evidence
    head: Head
    shape: Callable[[Outputs], Tensor]

    @property
    def centers(self) -> Tensor | None:
        return self.bank.centers

    @cached_property
    def moments(self) -> Moments:
        return moments(self)

    def __len__(self) -> int:
        return len(self.bank)

    def chunks(self, size: int = 8192) -> Iterator[Bank]:
        for part in self.bank.chunks(size):
            outputs = _replaced(part.outputs, self.shape(part.outputs), self.head)
            yield replace(part, outputs=outputs, head=self.head)


def fit_then(name: str, bank: Evidence, head: Head, shape: Callable[[Outputs], Tensor], /) -> Fitted:
    """The scorer of this name, fitted on the shaped bank where it learns at all."""
    scorer = scorers[name]
    return scorer().fit(ShapedBank(bank, head, shape) if scorer.info.fits else None)


def require_logit_scorer(name: str, *, also: tuple[Need, ...] = ()) -> None:
    """Only the logits are recomputed for certain, so nothing else may be read.

    Raises:
        UnknownNameError: no scorer has this name.
        ScoreError: it reads more than logits.
    """
    if more := sorted(set(scorers[name].info.needs) - {"logits", *also}):
        raise ScoreError(
            f"Shaped features lead to a scorer of logits; '{name}' reads {' and '.join(more)}. Try 'energy' or 'msp'."
        )


def _replaced(outputs: Outputs, features: Float64[Tensor, "n d"], head: Head) -> Outputs:
    return outputs._replace(logits=head(features), features=features)
