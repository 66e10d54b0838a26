"""A tray of pictures of which one is chosen, by click or by arrow keys; names are set as text, never as HTML."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from app.components.made import made, nothing

__all__ = ["Thumb", "tray"]


@dataclass(frozen=True, slots=True)
class Thumb:
    """One picture; those of one group lie together, in the order in which they come."""

    id: str
    source: str  # a data URI
    name: str
    group: str


def tray(thumbs: Sequence[Thumb], *, chosen: str, label: str, key: str) -> str | None:
    """Draw it.

    Args:
        thumbs: At least one.
        chosen: The picture that is marked; the visitor's own choice is marked at once.
        label: What is chosen here, for who cannot see it.
        key: Streamlit key.

    Returns:
        What the visitor last chose; None until they do.
    """
    data = {"thumbs": [asdict(thumb) for thumb in thumbs], "chosen": chosen, "label": label}
    picked = made("tray")(data=data, key=key, on_picked_change=nothing).get("picked")
    return None if picked is None else str(picked)
