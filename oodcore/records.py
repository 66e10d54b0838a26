"""The vocabulary: what a forward pass yields, and the in-distribution evidence that scorers learn from.

Letters in shapes are global: `n` rows, `k` classes, `d` penultimate features, `m` embedding, `blocks` norms.
A dense network uses the same records, one row per pixel (`rows`, `maps`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor
from typing_extensions import Protocol, runtime_checkable  # typing's own, before 3.12, computes what it looks for

from oodcore.errors import ScoreError

__all__ = ["Bank", "Evidence", "Head", "Moments", "Outputs", "maps", "rows"]


class Outputs(NamedTuple):
    """What one forward pass yields. A named tuple, so that DDP, autocast and `torch.compile` see through it."""

    logits: Float[Tensor, "n k"]
    features: Float[Tensor, "n d"]
    norms: Float[Tensor, "n blocks"] | None = None
    embeddings: Float[Tensor, "n m"] | None = None

    def take(self, index: slice | Tensor, /) -> "Outputs":
        """The chosen rows of every field."""
        return self._each(lambda field: field[index])

    def to(self, device: torch.device | str, /) -> "Outputs":
        """The same rows on another device."""
        return self._each(lambda field: field.to(device))

    def detach(self) -> "Outputs":
        """The same rows, cut from the autograd graph."""
        return self._each(Tensor.detach)

    @staticmethod
    def join(parts: "Sequence[Outputs]", /) -> "Outputs":
        """Rows of several passes, one after the other."""
        norms = [part.norms for part in parts if part.norms is not None]
        embeddings = [part.embeddings for part in parts if part.embeddings is not None]
        return Outputs(
            torch.cat([part.logits for part in parts]),
            torch.cat([part.features for part in parts]),
            torch.cat(norms) if norms else None,
            torch.cat(embeddings) if embeddings else None,
        )

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Outputs":
        logits, features, norms, embeddings = self
        return Outputs(
            change(logits),
            change(features),
            None if norms is None else change(norms),
            None if embeddings is None else change(embeddings),
        )


class Head(NamedTuple):
    """The linear layer that turned features into logits."""

    weight: Float[Tensor, "k d"]
    bias: Float[Tensor, " k"]

    def __call__(self, features: Float[Tensor, "n d"], /) -> Float[Tensor, "n k"]:
        return features @ self.weight.to(features).mT + self.bias.to(features)


def rows(values: Float[Tensor, "b c h w"], /) -> Float[Tensor, "n c"]:
    """Pixels as rows, `n = b·h·w`, in reading order."""
    return values.movedim(1, -1).flatten(0, 2)


def maps(scores: Float[Tensor, " n"], shape: tuple[int, int, int], /) -> Float[Tensor, "b h w"]:
    """The way back from `rows` for one score per pixel; `shape` is `(b, h, w)`."""
    return scores.unflatten(0, shape)


class Moments(NamedTuple):
    """Sufficient statistics of the bank's features, in float64: what covariance methods share."""

    counts: Int[Tensor, " k"]
    means: Float64[Tensor, "k d"]  # of each class; NaN where a class has no row
    mean: Float64[Tensor, " d"]
    within: Float64[Tensor, "d d"]  # covariance about the class means, divided by n
    total: Float64[Tensor, "d d"]  # covariance about `mean`, divided by n


@runtime_checkable
class Evidence(Protocol):
    """In-distribution outputs, in memory or on disk. What `fit` may ask for."""

    @property
    def head(self) -> Head: ...
    @property
    def centers(self) -> Tensor | None: ...
    @property
    def moments(self) -> Moments: ...
    def __len__(self) -> int: ...
    def chunks(self, size: int = 8192) -> "Iterator[Bank]":
        """Consecutive pieces of at most `size` rows, each in memory."""
        ...


@dataclass(frozen=True)
class Bank:
    """Outputs in memory with their labels, the head, and class centres where trained.

    A label of -1 stands for "none of the classes" (outliers, unlabelled photos); nothing can be fitted on such rows.

    Raises:
        ScoreError: rows and labels do not match, or a label has no logit.
    """

    outputs: Outputs
    labels: Int[Tensor, " n"]
    head: Head
    centers: Float[Tensor, "k m"] | None = None

    def __post_init__(self) -> None:
        n, k = self.outputs.logits.shape
        if len(self.labels) != n:
            raise ScoreError(f"A bank needs one label per row: {n} rows, {len(self.labels)} labels.")
        if n and not -1 <= int(self.labels.min()) <= int(self.labels.max()) < k:
            low, high = int(self.labels.min()), int(self.labels.max())
            raise ScoreError(f"Labels must lie in 0..{k - 1}, or be -1 for none of them; got {low}..{high}.")

    def __len__(self) -> int:
        return len(self.labels)

    def chunks(self, size: int = 8192) -> Iterator["Bank"]:
        for start in range(0, len(self), size):
            yield self.take(slice(start, start + size))

    def take(self, index: slice | Tensor, /) -> "Bank":
        """The chosen rows."""
        return replace(self, outputs=self.outputs.take(index), labels=self.labels[index])

    def to(self, device: torch.device | str, /) -> "Bank":
        """The same bank on another device."""
        centers = None if self.centers is None else self.centers.to(device)
        head = Head(self.head.weight.to(device), self.head.bias.to(device))
        return Bank(self.outputs.to(device), self.labels.to(device), head, centers)

    @cached_property
    def moments(self) -> Moments:
        """Computed once for everything that is fitted on this bank."""
        return moments(self)


def moments(bank: Evidence, /) -> Moments:
    """One sweep over the chunks, in float64.

    Raises:
        ScoreError: the bank is empty, holds unlabelled rows, or a feature is not finite.
    """
    sums: _Sums | None = None
    for part in bank.chunks():
        x = part.outputs.features.double()
        if bool((part.labels < 0).any()):
            raise ScoreError("The bank holds rows without a class. Fit on the in-distribution training set.")
        if not bool(x.isfinite().all()):
            raise ScoreError("The bank holds NaN or infinite features. Check the weights and the preprocessing.")
        sums = sums or _Sums(len(bank.head.bias), x)
        sums.add(x, part.labels)
    if sums is None:
        raise ScoreError("The bank is empty. Collect at least one in-distribution image.")
    return sums.moments()


class _Sums:
    """Sums and products of rows about a first guess of their class's mean.

    The guess is the mean in the first chunk that holds the class. It cancels where classes lie far apart and each is
    narrow, as in a well-trained network; about one common centre their spread would drown in rounding.
    """

    def __init__(self, k: int, like: Float64[Tensor, "n d"]) -> None:
        d = like.shape[1]
        self.counts = torch.zeros(k, dtype=torch.int64, device=like.device)
        self.guesses, self.sums, self.products = like.new_zeros(k, d), like.new_zeros(k, d), like.new_zeros(d, d)

    def add(self, x: Float64[Tensor, "n d"], labels: Int[Tensor, " n"]) -> None:
        """Take in one chunk."""
        counts = labels.bincount(minlength=len(self.counts))
        new = ((self.counts == 0) & (counts > 0)).nonzero().flatten()
        if len(new):
            first = torch.zeros_like(self.sums).index_add_(0, labels, x)
            self.guesses[new] = first[new] / counts[new, None]
        x = x - self.guesses[labels]
        self.counts += counts
        self.sums.index_add_(0, labels, x)
        _add_products(self.products, x)

    def moments(self) -> Moments:
        """What the chunks so far amount to."""
        n, filled = self.counts.sum(), self.counts > 0
        offsets = self.sums / self.counts[:, None]  # 0/0 = NaN marks an empty class
        means, share = self.guesses + offsets, (self.counts.double() / n)[filled, None]
        mean = (share * means[filled]).sum(0)
        within = (self.products.triu() + self.products.triu(1).mT) / n
        within -= (share * offsets[filled]).mT @ offsets[filled]
        between = share.sqrt() * (means[filled] - mean)
        return Moments(self.counts, means, mean, within, within + between.mT @ between)


def _add_products(total: Float64[Tensor, "d d"], x: Float64[Tensor, "n d"], block: int = 512) -> None:
    """Add the upper triangle of $x^T x$: in blocks of columns, as symmetry saves up to half of the work."""
    for start in range(0, x.shape[1], block):
        columns = slice(start, start + block)
        total[columns, start:].addmm_(x[:, columns].mT, x[:, start:])
