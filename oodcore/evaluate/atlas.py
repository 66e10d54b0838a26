"""A checkpoint's map: its spaces as its reference keeps them, and a layout of them."""

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, cast, get_args

from jaxtyping import Float
from torch import Tensor

from oodcore.checkpoint import file_of, folder_of, load_reference, read_card
from oodcore.checkpoint.card import Card
from oodcore.checkpoint.layout import LAYOUT, REFERENCE
from oodcore.data.archives import file_digest
from oodcore.errors import CheckpointError
from oodcore.functional import Distance
from oodcore.maps import Cloud, Layout, Settings, Space, clouds, lay_out, mapped_rows, measured, read_layout
from oodcore.models import Network

__all__ = ["distance_of", "in_space", "load_layout", "making_layout", "reference_digest", "spaces_of"]


def distance_of(card: Card | None) -> Distance:
    """With which a network's class centres were trained; cosine where its card does not say."""
    loss: Any = card.recipe.get("loss") if card is not None else None
    told = loss.get("distance") if isinstance(loss, Mapping) else None
    return cast("Distance", told) if told in get_args(Distance) else "cosine"


def spaces_of(folder: Path | str) -> tuple[dict[str, Any], dict[Space, Cloud]]:
    """Set → mapped rows of the reference, and the spaces in which they lie.

    Raises:
        CheckpointError: the checkpoint has no reference, or it is damaged.
    """
    reference = load_reference(folder)
    if not reference:
        raise CheckpointError(
            f"'{Path(folder).name}' keeps no outputs of known images, so there is nothing to map. Make them with: "
            f"ood fit {Path(folder).name} --id NAME"
        )
    rows = mapped_rows(reference)
    return rows, clouds(reference, rows, distance_of(read_card(folder_of(folder))))


def making_layout(folder: Path | str, settings: Settings) -> Generator[tuple[int, int, str], None, Layout]:
    """UMAP of every space of a checkpoint: yields (done, of how many, a sentence) before each, and returns the layout.

    A minute in a fresh process, for the library compiles itself first.

    Raises:
        CheckpointError: see `spaces_of`.
        DataError: see `lay_out`.
    """
    rows, spaces = spaces_of(folder)
    places = {}
    for done, (space, cloud) in enumerate(spaces.items()):
        yield done, len(spaces), f"Laying out {len(cloud.rows):,} points by their {space}; the first takes a minute."
        places[space] = lay_out(cloud, settings)
    return Layout(
        rows,
        {space: xy for space, (xy, _) in places.items()},
        {space: centers for space, (_, centers) in places.items()},
        settings,
        reference_digest(folder),
    )


def load_layout(folder: Path | str) -> Layout | None:
    """The layout that lies beside the weights; None where there is none, or one of an earlier reference.

    Raises:
        CheckpointError: it is damaged.
    """
    file = file_of(folder, LAYOUT)
    layout = None if file is None else read_layout(file)
    return layout if layout is not None and layout.reference == reference_digest(folder) else None


def in_space(model: Network, features: Float[Tensor, "n d"], space: Space) -> Float[Tensor, "n m"]:
    """Features of new images as rows of one of the network's spaces.

    Raises:
        CheckpointError: the network has no embeddings.
    """
    if space == "features":
        return features.float()
    embedded = model.embed(features.float())
    if embedded is None:
        raise CheckpointError("This network was trained without class centres, so it has no embeddings.")
    return measured(embedded.detach(), distance_of(model.card))


def reference_digest(folder: Path | str) -> str:
    """sha256 of the reference, by which a layout knows what it shows."""
    path = folder_of(folder) / REFERENCE
    return file_digest(path) if path.is_file() else ""
