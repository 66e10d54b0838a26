"""Maps of what a network makes of images: neighbours, centres, how far classes lie apart, and a picture of it in 2-D.

Everything that counts is measured in the space itself; the flat map is only for looking at.
"""

from oodcore.maps.cloud import MOST_POINTS, Cloud, Space, clouds, known_set, mapped_rows, measured
from oodcore.maps.layout import Layout, Settings, lay_out, principal, read_layout, write_layout
from oodcore.maps.neighbours import Placed, neighbours, place
from oodcore.maps.separation import Separation, nearest_center, separation

__all__ = [
    "MOST_POINTS",
    "Cloud",
    "Layout",
    "Placed",
    "Separation",
    "Settings",
    "Space",
    "clouds",
    "known_set",
    "lay_out",
    "mapped_rows",
    "measured",
    "nearest_center",
    "neighbours",
    "place",
    "principal",
    "read_layout",
    "separation",
    "write_layout",
]
