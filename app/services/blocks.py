"""What the Blocks page asks: norms of reference images, of a picture and its jigsaws, and which block is selected."""

from dataclasses import dataclass
from typing import NamedTuple

import streamlit as st
import torch
from jaxtyping import Float64
from torch import Tensor

from app.services.memory import Memory
from app.services.resources import Exhibit, Waiting, turn
from app.services.samples import Picture, Prepared, let_go_with, prepared
from oodcore.data import entry
from oodcore.errors import DataError, ScoreError, UnknownNameError
from oodcore.evaluate.blocks import (
    PARTNERS,
    Gain,
    Shuffled,
    block_aurocs,
    gains,
    norms_of,
    scores_of_images,
    shuffle,
    with_and_without,
)
from oodcore.evaluate.work import Scores, spread_rows
from oodcore.models.blocks import block_shapes, norm_ratios
from oodcore.panel import FittedPanel
from oodcore.scorers import scorers

__all__ = ["JIGSAWS", "Choice", "Strip", "all_gains", "choice", "jigsaws", "live", "quick_gains", "strip"]

JIGSAWS = 8
LIVE = 200  # pictures of a set that are drawn or read anew where stored outputs do not suffice


class Choice(NamedTuple):
    """What NormRatio says."""

    selected: int
    ratios: Float64[Tensor, " blocks"]
    n: int
    """Training images that it was measured on, each beside one jigsaw of its own."""


@dataclass(frozen=True)
class Strip:
    """The blocks of a network from first to last.

    Args:
        names: Of the blocks.
        shapes: What each hands on, as text.
        known: Norms of the held-out known images.
        outliers: Norms of the outliers that were chosen, or None without any.
        aurocs: Outlier set → one number per block.
    """

    names: tuple[str, ...]
    shapes: tuple[str, ...]
    known: Float64[Tensor, "n blocks"]
    outliers: Float64[Tensor, "m blocks"] | None
    aurocs: dict[str, Float64[Tensor, " blocks"]]


@st.cache_resource(max_entries=64, show_spinner=False)
def strip(_shown: Exhibit, weights: str, against: str | None) -> Strip:
    """From the reference; `weights` stands for the exhibit in the key.

    Raises:
        ScoreError: the checkpoint has no blocks, or a reference without their norms.
    """
    if _shown.known is None or not _shown.model.block_names:
        raise ScoreError(
            f"'{_shown.name}' has no norms of blocks to compare with. Fit it again on the Checkpoints page, or with "
            "`ood fit`."
        )
    shapes = block_shapes(_shown.model)
    inside = _shown.reference[_shown.known]
    return Strip(
        _shown.model.block_names,
        tuple(" × ".join(map(str, shapes[name])) for name in _shown.model.block_names),
        norms_of(inside.outputs),
        None if against is None else norms_of(_shown.reference[against].outputs),
        {name: block_aurocs(inside, _shown.reference[name]) for name in _shown.outliers},
    )


def choice(shown: Exhibit, waiting: Waiting) -> Choice | None:
    """As the panel tells it; else measured anew on drawn training images. None where neither can be had."""
    about = None if shown.panel is None else shown.panel.about.get("block")
    if isinstance(about, dict) and "ratios" in about:
        return Choice(about["index"], torch.tensor(about["ratios"], dtype=torch.float64), about["n"])
    if shown.known is None or not _drawn(shown.known):
        return None
    if (found := _CHOICES.get(shown.key)) is not None:
        return found
    with turn(waiting):
        return _CHOICES.find(shown.key, lambda: _measured(shown))


def jigsaws(shown: Exhibit, picture: Picture, seed: int, waiting: Waiting) -> Shuffled:
    """The picture and its jigsaws, one pass for all; computed once for each network, picture and seed.

    Raises:
        DataError: the picture cannot be read.
    """
    key = (shown.key, picture.id, picture.coding, seed)
    if (found := _SHUFFLED.get(key)) is not None:
        return found
    view = prepared(picture, shown.model.transform)
    if not isinstance(view, Prepared):
        raise DataError(view)
    with turn(waiting):
        return _SHUFFLED.find(key, lambda: shuffle(shown.model, view.pixels, count=JIGSAWS, seed=seed))


@st.cache_resource(max_entries=64, show_spinner=False)
def quick_gains(_shown: Exhibit, weights: str, block: int, against: str) -> list[Gain]:
    """Of the scorers that stored outputs suffice for."""
    partners = [name for name in PARTNERS if "gradients" not in scorers[name].info.needs]
    inside, outside = _shown.reference[_shown.known or ""], _shown.reference[against]
    panel = with_and_without(inside, block, partners)
    return gains(panel(inside.outputs), panel(outside.outputs), partners)


def live(shown: Exhibit, against: str) -> bool:
    """Whether the pictures of both sets are at hand, as gradient scorers want them."""
    return shown.known is not None and all(_at_hand(name) for name in (shown.known, against))


def all_gains(shown: Exhibit, block: int, against: str, waiting: Waiting, *, run: bool) -> list[Gain] | None:
    """Of all, from the pictures themselves: the first few of both sets, evenly spread.

    Args:
        shown: The checkpoint.
        block: Whose norm.
        against: Outliers.
        waiting: See `Waiting`.
        run: Whether to compute what is not known yet; without, that is None.
    """
    key = (shown.key, block, against)
    if (found := _GAINS.get(key)) is not None or not run:
        return found
    with turn(waiting):
        return _GAINS.find(key, lambda: _from_pictures(shown, block, against))


_CHOICES: Memory[str, Choice] = Memory(32)
_SHUFFLED: Memory[tuple[str, str, str, int], Shuffled] = Memory(512)
_GAINS: Memory[tuple[str, int, str], list[Gain]] = Memory(128)
let_go_with(_SHUFFLED)


def _measured(shown: Exhibit) -> Choice:
    from oodcore.data.procedural import procedural

    found = norm_ratios(shown.model, procedural("shapes", "train", count=LIVE))
    return Choice(found.selected, found.values, LIVE)


def _from_pictures(shown: Exhibit, block: int, against: str) -> list[Gain]:
    assert shown.known is not None  # noqa: S101  asked by `live`
    panel = with_and_without(shown.reference[shown.known], block, PARTNERS)
    sides = [_scored(shown, panel, name) for name in (shown.known, against)]
    return gains(sides[0], sides[1], PARTNERS)


def _scored(shown: Exhibit, panel: FittedPanel, name: str) -> Scores:
    known = entry(name)
    images = known.open("test" if "test" in known.splits else known.splits[-1])
    return scores_of_images(panel, shown.model, images.take(spread_rows(len(images), LIVE)))


def _drawn(name: str) -> bool:
    try:
        return not entry(name).needs
    except UnknownNameError:
        return False


def _at_hand(name: str) -> bool:
    try:
        return entry(name).present()
    except UnknownNameError:
        return False
