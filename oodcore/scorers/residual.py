"""Feature norm outside the bank's principal subspace (Wang et al., CVPR 2022, arXiv:2203.10807, sec. 4.2)."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers
from oodcore.scorers._evidence import given


class NullSpace(NamedTuple):
    """What is left of the features once the bank's largest directions are projected out."""

    origin: Float64[Tensor, " d"]
    basis: Float64[Tensor, "d r"]

    def norm(self, features: Float[Tensor, "n d"], /) -> Float64[Tensor, " n"]:
        """Length of the residual."""
        return ((features.double() - self.origin) @ self.basis).norm(dim=1)

    @classmethod
    def of(cls, bank: Evidence, dim: int | None) -> "NullSpace":
        r"""About the origin $o = -W^{+} b$, where the head's logits are as near to zero as they get.

        Raises:
            ScoreError: every row of the bank lies on the origin.
        """
        moments, (weight, bias) = bank.moments, bank.head
        origin = -(torch.linalg.pinv(weight.double()) @ bias.double())
        offset = moments.mean - origin
        values, vectors = torch.linalg.eigh(moments.total + torch.outer(offset, offset))
        rank = int((values > len(values) * torch.finfo(values.dtype).eps * values[-1]).sum())
        if rank == 0:
            raise ScoreError("The bank's features are all zero. Check the weights and the preprocessing.")
        return cls(origin, vectors[:, : len(values) - principal(dim, len(values), rank)])


def principal(dim: int | None, width: int, rank: int, /) -> int:
    """Directions to project out: the paper's 1000 for features wider than 1500, else 512, or the `dim` asked for.

    Half the rank of the bank where that would leave no direction in which the bank still varies: then the residual of
    every bank row is rounding noise, and ViM's scale is one over it.
    """
    wanted = dim if dim is not None else (1000 if width > 1500 else 512)
    return wanted if wanted < rank else rank // 2


@scorers.register
@dataclass(frozen=True, slots=True)
class Residual:
    r"""$\lVert x^{P^\perp} \rVert$, $x$ being the features about the origin $-W^{+} b$.

    Args:
        dim: Dimension of the principal subspace $P$; None is the paper's rule. At or above the bank's rank it
            becomes half of that.
    """

    dim: int | None = None
    info: ClassVar[Info] = Info(
        "Residual", ("features", "head"), "Wang et al., CVPR 2022, arXiv:2203.10807, sec. 4.2", fits=True
    )

    def fit(self, bank: Evidence | None = None, /) -> "ResidualFitted":
        return ResidualFitted(*NullSpace.of(given(bank), self.dim))


@dataclass(frozen=True, slots=True)
class ResidualFitted(Fitted):
    """Origin, and an orthonormal basis of what the principal subspace leaves."""

    origin: Float64[Tensor, " d"]
    basis: Float64[Tensor, "d r"]

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        return NullSpace(self.origin, self.basis).norm(outputs.features)
