"""Maps of a checkpoint, ready to draw: where its reference images lie, what each one scores, and who is nearest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from app.services.memory import Memory
from app.services.resources import Answer, Exhibit
from oodcore.checkpoint.layout import LAYOUT, REFERENCE
from oodcore.evaluate.atlas import distance_of, in_space, load_layout
from oodcore.functional import free_energy
from oodcore.jobs.job import key_of
from oodcore.jobs.kinds.layout import order_for, result_of
from oodcore.jobs.queue import Job, Queue
from oodcore.maps import (
    Cloud,
    Layout,
    Placed,
    Separation,
    Settings,
    Space,
    clouds,
    mapped_rows,
    nearest_center,
    place,
    principal,
    separation,
)
from oodcore.records import Outputs

__all__ = ["Map", "Range", "digest", "drawn", "made", "ordered", "placed", "scale", "spaces", "wanted"]

REPRESENTATION = "representation"
KEEP = 0.95
DRAWN = 2**30  # bytes of the checkpoints whose maps stay drawn


@dataclass(frozen=True)
class Map:
    """One space of a checkpoint, laid flat.

    Args:
        rows: Set → rows of the reference, in the order of the points.
        settings: Of UMAP; None where these are principal components.
    """

    shown: Exhibit
    space: Space
    cloud: Cloud
    rows: Mapping[str, Int64[Tensor, " rows"]]
    xy: Float[Tensor, "n 2"]
    centers: Float[Tensor, "c 2"]
    settings: Settings | None

    @cached_property
    def outputs(self) -> Outputs:
        """Of every point."""
        return Outputs.join([self.shown.reference[name].outputs.take(rows) for name, rows in self.rows.items()])

    @cached_property
    def energy(self) -> Float[Tensor, " n"]:
        """Free energy; HIGHER = MORE OUT-OF-DISTRIBUTION."""
        return free_energy(self.outputs.logits)

    @cached_property
    def representation(self) -> Tensor | None:
        """Representation score, HIGHER = MORE OUT-OF-DISTRIBUTION; None where the checkpoint cannot give it."""
        panel = self.shown.panel
        if panel is None or REPRESENTATION not in panel.names:
            return None
        return panel.subset([REPRESENTATION])(self.outputs)[REPRESENTATION].float()

    @cached_property
    def nearest(self) -> tuple[Tensor, Tensor]:
        """Class of the nearest centre, and the distance to it, in this space."""
        return nearest_center(self.cloud.rows, self.cloud)

    @cached_property
    def separation(self) -> Separation | None:
        """How far apart its classes lie."""
        return separation(self.cloud)

    @cached_property
    def measured(self) -> int:
        """Images that the reference was made of."""
        return sum(self.shown.measured.get(name, len(self.shown.reference[name])) for name in self.rows)


@dataclass(frozen=True, slots=True)
class Range:
    """Of a score: its lowest and highest hundredth, and the threshold between them, if it has one."""

    low: float
    middle: float
    high: float
    threshold: bool


def digest(shown: Exhibit) -> str:
    """sha256 of the reference."""
    return str(shown.model.card.sha256.get(REFERENCE, "")) if shown.model.card is not None else ""


def spaces(shown: Exhibit) -> dict[Space, Cloud]:
    """The spaces of a checkpoint; empty where it has no reference."""
    return _spaces(shown)[1]


def wanted(shown: Exhibit, folder: Path, settings: Settings) -> Mapping[str, object]:
    """The order for a layout of this checkpoint."""
    return order_for(folder, digest(shown), settings.seed, settings.neighbours, settings.min_dist)


def ordered(queue: Queue, order: Mapping[str, object]) -> Job | None:
    """The newest job for it, however it stands."""
    key = key_of("layout", order)
    return next((job for job in queue.jobs() if job.kind == "layout" and job.key == key), None)


def made(shown: Exhibit, folder: Path, settings: Settings, queue: Queue) -> Layout | None:
    """The layout that ships with the checkpoint, or that a job has made; None where there is none yet.

    Raises:
        CheckpointError: it is damaged.
    """
    shipped = _shipped(shown, folder)
    if shipped is not None and shipped.settings == settings:
        return shipped
    job = queue.finished("layout", wanted(shown, folder, settings))
    if job is None:
        return None
    layout: Layout = _MADE.find(job.id, lambda: result_of(job.result))
    return layout


def drawn(shown: Exhibit, space: Space, layout: Layout | None) -> Map:
    """By that layout, or by principal components where there is none."""
    fitted = layout is not None and space in layout.xy
    key = (
        shown.name,
        shown.model.classes,
        _content(shown),
        space,
        layout.settings if fitted and layout is not None else None,
    )
    return _MAPS.find(key, lambda: _map(shown, space, layout if fitted else None))


def placed(onto: Map, answers: Sequence[Answer]) -> tuple[Placed, Int64[Tensor, " n"], Float[Tensor, " n"]]:
    """Where new pictures go on a finished map, the class of the centre that each is nearest to, and how near."""
    rows = in_space(onto.shown.model, torch.stack([answer.features for answer in answers]), onto.space)
    return place(rows, onto.cloud.rows, onto.xy, onto.cloud.known, onto.cloud.reach), *nearest_center(rows, onto.cloud)


def scale(onto: Map, name: str) -> Range | None:
    """Of "energy" or "representation"; None where there is no such score."""
    values = onto.energy if name == "energy" else onto.representation
    if values is None:
        return None
    low, high = (float(values.quantile(share)) for share in (0.01, 0.99))
    if name in onto.shown.scorers:
        middle = onto.shown.calibration(name).threshold(KEEP)
        return Range(min(low, middle), middle, max(high, middle), threshold=True)
    return Range(low, float(values.median()), high, threshold=False)


_SPACES: Memory[str, tuple[dict[str, Tensor], dict[Space, Cloud]]] = Memory(16)
_SHIPPED: Memory[str, tuple[Layout | None]] = Memory(64)
_MADE: Memory[str, Layout] = Memory(64)
_MAPS: Memory[tuple[str, tuple[str, ...], str, Space, Settings | None], Map] = Memory(
    DRAWN, lambda map_: map_.shown.size
)


def _content(shown: Exhibit) -> str:
    """Of every number that a map depends on."""
    hashes = {} if shown.model.card is None else shown.model.card.sha256
    return f"{shown.key} {digest(shown)} {hashes.get(LAYOUT)} {distance_of(shown.model.card)}"


def _spaces(shown: Exhibit) -> tuple[dict[str, Tensor], dict[Space, Cloud]]:
    return _SPACES.find(_content(shown), lambda: _found(shown))


def _found(shown: Exhibit) -> tuple[dict[str, Tensor], dict[Space, Cloud]]:
    rows = mapped_rows(shown.reference)
    return rows, clouds(shown.reference, rows, distance_of(shown.model.card))


def _shipped(shown: Exhibit, folder: Path) -> Layout | None:
    (layout,) = _SHIPPED.find(_content(shown), lambda: (load_layout(folder),))
    return layout


def _map(shown: Exhibit, space: Space, layout: Layout | None) -> Map:
    rows, found = _spaces(shown)
    cloud = found[space]
    if layout is None:
        return Map(shown, space, cloud, rows, *principal(cloud), None)
    return Map(shown, space, cloud, rows, layout.xy[space], layout.centers[space], layout.settings)
