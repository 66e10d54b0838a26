"""Who plays in the lessons: the shipped networks of drawn shapes, and the example pictures."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import torch

import oodcore
from app.services import samples
from app.services.samples import Picture, Prepared, prepared
from app.services.scenes.frames import Card, Kind
from oodcore import checkpoint
from oodcore.checkpoint.layout import CARD
from oodcore.data import jigsaw
from oodcore.data.procedural import procedural
from oodcore.errors import CheckpointError
from oodcore.models import Network
from oodcore.models.blocks import NormRatios, norm_ratios
from oodcore.models.collect import outputs_of
from oodcore.records import Bank, Outputs

__all__ = ["ALIKE", "FAR", "KNOWN", "NEAR", "ROLES", "Actor", "Cast"]

KNOWN, NEAR, FAR, ALIKE = "shapes", "shapes-near", "shapes-far", "shapes-aux-50"  # reference sets of the networks
ROLES = {
    "before": "shapes-resnet20w4",
    "exposure": "shapes-resnet20w4-oe",
    "energy": "shapes-resnet20w4-energy",
    "balanced": "shapes-resnet20w4-balanced",
    "semantic": "shapes-resnet20w4-semantic",
}
STRIP = {"shapes": 4, "new": 3, "textures": 2, "photographs": 3}  # pictures of each sample group
TILES = (4, 7, 0, 8, 2, 6, 1, 5, 3)  # the order of the jigsaw, the same for every example picture
PAIRS = 200  # training pictures behind a NormRatio


@dataclass(frozen=True)
class Actor:
    """One network with the rows that were kept of its sets, and what it says of the example pictures."""

    model: Network
    reference: Mapping[str, Bank]
    folder: Path
    outputs: Outputs
    shuffled: Outputs
    """The same for each picture's jigsaw."""

    @cached_property
    def loss(self) -> Mapping[str, Any]:
        """Settings of the loss that it was trained with."""
        return self.model.card.recipe["loss"]

    @cached_property
    def prior(self) -> torch.Tensor:
        """Auxiliary outliers per class.

        Raises:
            CheckpointError: the checkpoint brings none.
        """
        counts = checkpoint.load_prior(self.folder)
        if counts is None:
            raise CheckpointError(f"'{self.folder.name}' brings no outlier prior. Get the checkpoint again.")
        return counts

    @cached_property
    def ratios(self) -> NormRatios:
        """NormRatio of every block, from some training pictures."""
        return norm_ratios(self.model, procedural(KNOWN, "train", count=PAIRS))


class Cast:
    """Networks by role, each opened when it is asked for.

    Args:
        folders: Name of a checkpoint → its folder.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self.folders = folders
        self._known: dict[str, Actor] = {}

    @staticmethod
    def content(folders: Mapping[str, Path]) -> str:
        """What the lessons' numbers depend on: a card holds the hash of every other file of its checkpoint.

        Raises:
            CheckpointError: a network is missing.
        """
        try:
            cards = [(folders[name] / CARD).read_bytes() for name in ROLES.values()]
        except (KeyError, OSError):
            raise CheckpointError(
                "The lessons need the networks of drawn shapes that ship with the app, and one is missing. "
                "Install the app again."
            ) from None
        return hashlib.sha256(b"".join(cards)).hexdigest()

    def actor(self, role: str) -> Actor:
        """One of `ROLES`."""
        if role not in self._known:
            folder = self.folders[ROLES[role]]
            model, pixels = oodcore.load(folder), torch.stack([view.pixels for view in self._views])
            self._known[role] = Actor(
                model,
                checkpoint.load_reference(folder),
                folder,
                outputs_of(model, pixels),
                outputs_of(model, jigsaw(pixels, TILES)),
            )
        return self._known[role]

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """What all of these networks know."""
        return self.actor("before").model.classes

    @cached_property
    def cards(self) -> list[Card]:
        """The strip of example pictures."""
        return [
            Card(picture.id[:12], picture.name, picture.group, _kind(picture), view.seen)
            for picture, view in zip(_pictures(), self._views, strict=True)
        ]

    @cached_property
    def _views(self) -> list[Prepared]:
        transform = oodcore.load(self.folders[ROLES["before"]]).transform
        return [view for picture in _pictures() if isinstance(view := prepared(picture, transform), Prepared)]


@cache
def _pictures() -> list[Picture]:
    groups = samples.groups(procedural(KNOWN, "test", count=1).classes, KNOWN)
    return [picture for name, count in STRIP.items() for picture in groups[name].pictures()[:count]]


def _kind(picture: Picture) -> Kind:
    return "id" if picture.truth == "id" else "ood"
