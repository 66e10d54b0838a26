"""Long-tailed subsets: many images of the first classes, few of the last (PASCL: Wang et al., ICML 2022)."""

from typing import Literal, TypeVar

import torch

from oodcore.data.images import ImageSet
from oodcore.errors import DataError

__all__ = ["long_tail", "long_tail_counts"]

Kind = Literal["exp", "step"]
S = TypeVar("S", bound=ImageSet)


def long_tail_counts(n_max: int, k: int, rho: float, kind: Kind = "exp") -> list[int]:
    r"""Images per class, from head to tail.

    Args:
        n_max: Images of the first class.
        k: Number of classes.
        rho: Tail over head, in (0, 1]; 0.01 is "imbalance ratio 100".
        kind: `"exp"` is $\lfloor n_{max}\,\rho^{c/(k-1)} \rfloor$; `"step"` gives the first half of the classes
            `n_max` and the rest $\lfloor n_{max}\,\rho \rfloor$.

    Raises:
        DataError: a value out of its range.
    """
    if n_max < 1 or k < 1:
        raise DataError(f"A long tail needs at least one image and one class; got {n_max} images and {k} classes.")
    if not 0 < rho <= 1:
        raise DataError(f"The tail's share of the head must lie in (0, 1]; got {rho}. Imbalance 100 is 0.01.")
    if kind == "exp":
        return [int(n_max * rho ** (c / max(k - 1, 1))) for c in range(k)]
    if kind == "step":
        return [n_max if c < max(k // 2, 1) else int(n_max * rho) for c in range(k)]
    raise DataError(f"A long tail is of kind 'exp' or 'step'; got '{kind}'.")


def long_tail(images: S, rho: float, kind: Kind = "exp", n_max: int | None = None) -> S:
    """The first images of each class, in file order, as many as `long_tail_counts` says.

    Args:
        images: A labelled set.
        rho: Tail over head, in (0, 1].
        kind: See `long_tail_counts`.
        n_max: Images of the first class; by default as many as the smallest class has.

    Raises:
        DataError: a class would be left with no image, or has fewer than asked for.
    """
    have = list(images.counts.values())
    if not have:
        raise DataError(f"'{images.name}' has no classes, so it has no long tail. Give a labelled set.")
    wanted = long_tail_counts(min(have) if n_max is None else n_max, len(have), rho, kind)
    for name, there, count in zip(images.classes, have, wanted, strict=True):
        if count == 0:
            raise DataError(f"Class '{name}' would be left with no image. Raise the tail's share above {rho}.")
        if there < count:
            raise DataError(f"Class '{name}' of '{images.name}' has {there} images, {count} were asked for.")
    rows = [(images.labels == c).nonzero().flatten()[:count] for c, count in enumerate(wanted)]
    return images.take(torch.cat(rows).sort().values)
