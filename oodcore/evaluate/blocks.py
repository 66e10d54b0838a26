"""What the norms of blocks are good for: each block's AUROC, and a scorer with and without the selected norm."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from oodcore.data import ImageSet, jigsaw, random_permutations
from oodcore.errors import ScoreError
from oodcore.evaluate.work import Scores
from oodcore.metrics import auroc, fpr_at_recall
from oodcore.models import Network
from oodcore.models.blocks import EPSILON
from oodcore.models.collect import outputs_of
from oodcore.panel import FittedPanel, Panel
from oodcore.records import Bank, Outputs
from oodcore.scorers import Scorer
from oodcore.scorers.selected_norm import SelectedNorm

__all__ = [
    "NORM",
    "PARTNERS",
    "Gain",
    "Shuffled",
    "below",
    "block_aurocs",
    "gains",
    "norms_of",
    "scores_of_images",
    "shuffle",
    "with_and_without",
]

PARTNERS = ("msp", "energy", "odin")
"""Scorers that the authors joined with the selected norm."""
NORM = "norm × "


class Gain(NamedTuple):
    """One scorer alone and with the selected norm, on one pair of sets."""

    scorer: str
    auroc: tuple[float, float]
    fpr95: tuple[float, float]  # ID positive: share of outliers passed where 95 % of known images are kept


class Shuffled(NamedTuple):
    """One picture and its jigsaws, by the norms of every block."""

    orders: Tensor  # (n, 9)
    pictures: Tensor  # uint8 (n, 3, h, w)
    whole: Float64[Tensor, " blocks"]
    cut: Float64[Tensor, "n blocks"]

    @property
    def ratios(self) -> Float64[Tensor, " blocks"]:
        """Mean over the jigsaws of whole over cut; NaN where every jigsaw silenced the block."""
        heard = self.cut > EPSILON
        return (self.whole / self.cut).where(heard, 0.0).sum(0) / heard.sum(0)


def block_aurocs(inside: Bank, outside: Bank, /) -> Float64[Tensor, " blocks"]:
    """AUROC of every block's norm, each as a score whose LOW values are out-of-distribution.

    Raises:
        ScoreError: the outputs carry no norms.
    """
    known, strange = norms_of(inside.outputs), norms_of(outside.outputs)
    return torch.tensor(
        [auroc(-known[:, block], -strange[:, block]) for block in range(known.shape[1])], dtype=torch.float64
    )


def below(inside: Bank, norms: Float64[Tensor, " blocks"], /) -> Float64[Tensor, " blocks"]:
    """Share of known images whose norm is smaller, per block; LOW is out-of-distribution."""
    return (norms_of(inside.outputs) < norms).double().mean(0)


def norms_of(outputs: Outputs, /) -> Float64[Tensor, "n blocks"]:
    """In float64.

    Raises:
        ScoreError: there are none.
    """
    if outputs.norms is None or not outputs.norms.shape[1]:
        raise ScoreError("These outputs carry no norms of blocks. Fit the checkpoint again, with `ood fit`.")
    return outputs.norms.double()


def shuffle(model: Network, pixels: Tensor, *, count: int, seed: int) -> Shuffled:
    """Cut one picture into nine tiles, in `count` random orders, and pass it and them through the network.

    Args:
        model: In eval mode.
        pixels: What `model.transform.pixels` gives for one picture, uint8 of shape (3, h, w).
        count: How many jigsaws.
        seed: Of the orders; the same seed gives the same ones.
    """
    orders = random_permutations(count, torch.Generator().manual_seed(seed))
    cut = jigsaw(pixels.expand(count, *pixels.shape), orders)
    norms = norms_of(outputs_of(model, torch.cat([pixels[None], cut])))
    return Shuffled(orders, cut, norms[0], norms[1:])


def with_and_without(bank: Bank, block: int, partners: Sequence[str]) -> FittedPanel:
    """Each scorer alone, and the same on features that have the block's norm; named "energy" and "norm × energy".

    Args:
        bank: Any bank of the network; only its head is read.
        block: As in `SelectedNorm`.
        partners: Scorers that learn nothing.
    """
    members: dict[str, str | Scorer] = {name: name for name in partners}
    members |= {NORM + name: SelectedNorm(block, name) for name in partners}
    return Panel(members).fit(bank)


def gains(
    inside: Mapping[str, Float64[Tensor, " n"]], outside: Mapping[str, Float64[Tensor, " m"]], partners: Sequence[str]
) -> list[Gain]:
    """What the norm changes, from the scores of `with_and_without` on both sides."""
    found = []
    for name in partners:
        sides = [(inside[key], outside[key]) for key in (name, NORM + name)]
        areas, passed = zip(*((auroc(*side), fpr_at_recall(*side, positive="id")) for side in sides), strict=True)
        found.append(Gain(name, areas, passed))
    return found


def scores_of_images(panel: FittedPanel, model: Network, images: ImageSet) -> Scores:
    """From the pictures themselves, which ODIN differentiates."""
    parts = [panel.score(model, batch.images) for batch in images.batches(64, model.transform)]
    return {name: torch.cat([part[name] for part in parts]).double() for name in panel.names}
