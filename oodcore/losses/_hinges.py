"""Squared hinges on both sides of the energy, shared by every energy loss."""

from numbers import Real
from typing import Any

from jaxtyping import Float
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.functional import free_energy
from oodcore.losses import Terms

__all__ = ["energy_gaps", "require_margins", "require_numbers", "require_outliers", "require_range", "shares"]


def energy_gaps(
    id_logits: Float[Tensor, "n k"],
    ood_logits: Float[Tensor, "m k"],
    margin_in: float,
    margin_out: float | Float[Tensor, " m"],
) -> tuple[Float[Tensor, " n"], Float[Tensor, " m"]]:
    r"""$\max(0, E - m_{in})$ inside, $\max(0, m_{out} - E)$ outside.

    Raises:
        ScoreError: no outliers.
    """
    require_outliers(ood_logits)
    return (free_energy(id_logits) - margin_in).relu(), (margin_out - free_energy(ood_logits)).relu()


def shares(inside: Float[Tensor, " n"], outside: Float[Tensor, " m"]) -> Terms:
    """Share of rows on which each hinge pulls."""
    return {"energy_in": (inside > 0).float().mean(), "energy_out": (outside > 0).float().mean()}


def require_outliers(ood_logits: Float[Tensor, "m k"]) -> None:
    """A mean over no rows is NaN, which would look like a diverged run.

    Raises:
        ScoreError: there are none.
    """
    if not len(ood_logits):
        raise ScoreError("This loss needs outliers in every batch; there are none. Give auxiliary outliers.")


def require_margins(margin_in: float, margin_out: float) -> None:
    """In-distribution energies are pushed below the one, outliers' above the other.

    Raises:
        ScoreError: the wrong way round, not finite, or no numbers.
    """
    require_numbers(margin_in=margin_in, margin_out=margin_out)
    if not -float("inf") < margin_in < margin_out < float("inf"):
        raise ScoreError(
            f"margin_in must lie below margin_out, as energies of known images are low; got margin_in {margin_in:g} "
            f"and margin_out {margin_out:g}."
        )


def require_range(**values: float) -> None:
    """Numbers that must be 0 or more, and finite.

    Raises:
        ScoreError: one of them is not; the sentence names it.
    """
    require_numbers(**values)
    for name, value in values.items():
        if not 0 <= value < float("inf"):
            raise ScoreError(f"{name} must be 0 or more; got {value:g}.")


def require_numbers(**values: Any) -> None:
    """Numbers of any kind.

    Raises:
        ScoreError: one of them is none; the sentence names it.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Real):
            raise ScoreError(f"{name} must be a number; got {value!r}.")
