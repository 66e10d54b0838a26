"""Pictures in a grid, each with a title and a line below; titles are set as text, never as HTML."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from app.components.made import made

__all__ = ["Item", "gallery"]


@dataclass(frozen=True, slots=True)
class Item:
    """One picture.

    Args:
        source: A data URI, or an address on this server.
        title: In a word or two.
        words: The line below.
        marked: Whether it stands out: a dotted frame.
    """

    source: str
    title: str
    words: str
    marked: bool = False


def gallery(items: Sequence[Item], *, label: str, colour: str, key: str) -> None:
    """Draw them.

    Args:
        items: In the order in which they are shown.
        label: What they are, for who cannot see them.
        colour: Of the frame of marked ones.
        key: Streamlit key.
    """
    data = {"items": [asdict(item) for item in items], "label": label, "colour": colour}
    made("gallery")(data=data, key=key)
