"""Squared Mahalanobis distances that stay right with few rows, dead units and collinear units.

The covariance is inverted on its range only (pseudo-inverse by eigenvalues). Directions in which the bank does not
vary are left out: nothing is known of their scale, and their rounding noise would swamp everything else.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from oodcore.errors import ScoreError


class Whitening(NamedTuple):
    r"""$W$ with $W W^\top = \Sigma^{+}$, applied about `origin`, which keeps the products small and exact."""

    origin: Float64[Tensor, " d"]
    matrix: Float64[Tensor, "d r"]

    def __call__(self, rows: Float[Tensor, "n d"], /) -> Float64[Tensor, "n r"]:
        return (rows.double() - self.origin) @ self.matrix

    @classmethod
    def of(cls, origin: Float64[Tensor, " d"], covariance: Float64[Tensor, "d d"], shrinkage: float) -> "Whitening":
        r"""From $(1-s)\Sigma + s\,\frac{\mathrm{tr}\,\Sigma}{d} I$; `shrinkage` $s$ in 0..1.

        Eigenvalues below $d\,\epsilon_{64}$ times the largest are zero, the convention of NumPy's and SciPy's
        pseudo-inverse; rounding of float32 features lies below it.

        Raises:
            ScoreError: the covariance is zero, or `shrinkage` out of its range.
        """
        if not 0 <= shrinkage <= 1:
            raise ScoreError(f"shrinkage must lie in 0..1; got {shrinkage}.")
        values, vectors = torch.linalg.eigh(covariance)
        top = float(values[-1])
        if not top > 0:
            raise ScoreError("The bank's features do not vary around their means. Collect more rows per class.")
        values = (1 - shrinkage) * values.clamp_min(0) + shrinkage * covariance.diagonal().mean()
        kept = values > len(values) * torch.finfo(values.dtype).eps * top
        return cls(origin, vectors[:, kept] / values[kept].sqrt())


def nearest_squared(points: Float64[Tensor, "n r"], centres: Float64[Tensor, "k r"], /) -> Float64[Tensor, " n"]:
    """Squared distance to the nearest centre; never negative."""
    cross = points @ centres.mT
    return (centres.square().sum(1) - 2 * cross).amin(1).add(points.square().sum(1)).clamp_min(0)
