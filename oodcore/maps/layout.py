"""From a space to places on a flat map: principal components at once, UMAP with a seed (McInnes et al., 1802.03426)."""

import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from oodcore.errors import CheckpointError, DataError
from oodcore.maps.cloud import Cloud, Space
from oodcore.maps.neighbours import neighbours
from oodcore.tensor_file import write_tensors

__all__ = ["Layout", "Settings", "lay_out", "principal", "read_layout", "write_layout"]

EPOCHS = 200


@dataclass(frozen=True, slots=True)
class Settings:
    """How UMAP draws.

    Args:
        seed: The same seed gives the same map.
        neighbours: How many of each row it keeps close: few show detail, many the whole.
        min_dist: How tightly points may be packed, 0..1.

    Raises:
        DataError: a number out of its range.
    """

    seed: int = 0
    neighbours: int = 15
    min_dist: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**31:
            raise DataError(f"The seed of a map is a number from 0 to 2,147,483,647; got {self.seed}.")
        if not 2 <= self.neighbours <= 100:
            raise DataError(f"A map keeps 2 to 100 neighbours of each point close; got {self.neighbours}.")
        if not 0 <= self.min_dist <= 0.99:
            raise DataError(f"min_dist must lie in 0..0.99; got {self.min_dist}.")


@dataclass(frozen=True)
class Layout:
    """Places on the map, between 0 and 1.

    Args:
        rows: Set → rows of the reference, in the order of the points.
        xy: Space → place of every point.
        centers: Space → place of every class centre.
        settings: How it was made.
        reference: sha256 of the `reference.safetensors` that it shows.
    """

    rows: Mapping[str, Int64[Tensor, " rows"]]
    xy: Mapping[Space, Float32[Tensor, "n 2"]]
    centers: Mapping[Space, Float32[Tensor, "c 2"]]
    settings: Settings = field(default_factory=Settings)
    reference: str = ""


def lay_out(cloud: Cloud, settings: Settings) -> tuple[Float32[Tensor, "n 2"], Float32[Tensor, "c 2"]]:
    """UMAP of rows and centres together; bit-identical for the same seed. Never call it in a server: it compiles.

    Raises:
        DataError: too few rows; or umap-learn is not installed.
    """
    together = torch.cat([cloud.rows, cloud.centers])
    k = min(settings.neighbours, len(together) - 1)
    if k < 2:
        raise DataError(f"A map needs at least 3 points; there are {len(together)}.")
    umap = _umap()
    found, apart = neighbours(together, together, k - 1, same=True)
    own = torch.arange(len(together))[:, None]
    nearest = torch.cat([own, found], 1).numpy().astype(np.int32)  # UMAP counts each row as its own first neighbour
    distances = torch.cat([torch.zeros(len(together), 1), apart], 1).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one thread is used with a seed, and that nothing can be added later
        fitted = umap.UMAP(
            n_neighbors=k,
            min_dist=settings.min_dist,
            n_epochs=EPOCHS,
            init="pca",
            random_state=settings.seed,
            n_jobs=1,
            precomputed_knn=(nearest, distances),
        ).fit_transform(together.numpy())
    return _parted(torch.from_numpy(np.asarray(fitted, np.float32)), len(cloud.rows))


def principal(cloud: Cloud) -> tuple[Float32[Tensor, "n 2"], Float32[Tensor, "c 2"]]:
    """The two directions of largest spread: a map in milliseconds."""
    middle = cloud.rows.mean(0)
    _, _, directions = torch.linalg.svd(cloud.rows - middle, full_matrices=False)
    axes = directions[:2]
    axes = axes * axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()  # else mirrored from machine to machine
    flat = (torch.cat([cloud.rows, cloud.centers]) - middle) @ axes.mT
    if flat.shape[1] < 2:
        flat = torch.cat([flat, torch.zeros(len(flat), 2 - flat.shape[1])], 1)
    return _parted(flat.float(), len(cloud.rows))


def write_layout(path: Path, layout: Layout) -> None:
    """One safetensors file; sets and settings are in its header.

    Raises:
        OSError: it cannot be written.
    """
    tensors = {f"rows/{name}": rows.to(torch.int32) for name, rows in layout.rows.items()}
    for space, xy in layout.xy.items():
        tensors |= {f"{space}/xy": xy, f"{space}/centers": layout.centers[space]}
    header = {
        "sets": json.dumps(list(layout.rows)),
        "settings": json.dumps(asdict(layout.settings)),
        "reference": layout.reference,
    }
    write_tensors(path, tensors, header)


def read_layout(path: Path) -> Layout:
    """The way back.

    Raises:
        CheckpointError: the file is damaged, or holds something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            about: dict[str, Any] = file.metadata() or {}
            rows = {name: file.get_tensor(f"rows/{name}").long() for name in json.loads(about["sets"])}
            spaces: list[Space] = [space for space in get_args(Space) if f"{space}/xy" in file.keys()]  # noqa: SIM118
            xy = {space: file.get_tensor(f"{space}/xy") for space in spaces}
            centers = {space: file.get_tensor(f"{space}/centers") for space in spaces}
        settings = Settings(**json.loads(about["settings"]))
        return Layout(rows, xy, centers, settings, about["reference"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"'{path}' is no map that can be read ({error}). Make it again.") from None


def _parted(flat: Float[Tensor, "all 2"], n: int) -> tuple[Float32[Tensor, "n 2"], Float32[Tensor, "c 2"]]:
    """In the unit square with both axes on one scale, so that the file does not depend on UMAP's units."""
    low, high = flat.amin(0), flat.amax(0)
    size = (high - low).max().clamp_min(1e-12)
    scaled = ((flat - (low + high) / 2) / size + 0.5).clamp(0, 1)  # rounding may lead just outside
    return scaled[:n].clone(), scaled[n:].clone()


def _umap() -> Any:
    from oodcore.data import cache_folder

    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder() / "numba"))
    try:
        import umap
    except ImportError:
        raise DataError(
            "UMAP is not installed here, so only the quick map by principal components can be drawn. Install it with: "
            "pip install umap-learn"
        ) from None
    return umap
