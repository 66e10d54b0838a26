"""Signed distances to simple forms: negative inside, positive outside, zero on the outline; y points down."""

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

import numpy as np

Grid = np.ndarray  # float64 (n, size, size), or what spreads to it
Corner = tuple[Grid | float, Grid | float]


def length(x: Grid, y: Grid) -> Grid:
    """Distance from the origin; four times faster than `np.hypot`, whose care for overflow is not needed here."""
    return np.sqrt(x * x + y * y)


def turned(x: Grid, y: Grid, turn: Grid) -> tuple[Grid, Grid]:
    """Coordinates in a frame rotated by `turn` (in turns)."""
    c, s = np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)
    return c * x + s * y, c * y - s * x


def circle(x: Grid, y: Grid, radius: Grid | float, at: Corner = (0.0, 0.0)) -> Grid:
    """A filled disc."""
    return length(x - at[0], y - at[1]) - radius


def box(x: Grid, y: Grid, half: Corner, at: Corner = (0.0, 0.0)) -> Grid:
    """A filled rectangle with half width and half height."""
    across, down = np.abs(x - at[0]) - half[0], np.abs(y - at[1]) - half[1]
    return length(np.maximum(across, 0), np.maximum(down, 0)) + np.minimum(np.maximum(across, down), 0)


def segment(x: Grid, y: Grid, start: Corner, end: Corner) -> Grid:
    """Distance to a straight line between two points, never negative."""
    along, up = end[0] - start[0], end[1] - start[1]
    px, py = x - start[0], y - start[1]
    share = np.clip((px * along + py * up) / (along * along + up * up), 0, 1)
    return length(px - along * share, py - up * share)


def stroke(x: Grid, y: Grid, points: Sequence[Corner], half: Grid | float) -> Grid:
    """A round-tipped pen along a path."""
    pieces = [segment(x, y, start, end) for start, end in pairwise(points)]
    return reduce(np.minimum, pieces) - half


def polygon(x: Grid, y: Grid, corners: Sequence[Corner]) -> Grid:
    """Any simple polygon: distance to its outline, with the sign of the even-odd rule."""
    nearest, inside = np.full_like(x, np.inf), np.zeros_like(x, dtype=bool)
    for start, end in zip(corners, [*corners[1:], corners[0]], strict=True):
        nearest = np.minimum(nearest, segment(x, y, start, end))
        spans = (y < start[1]) != (y < end[1])
        left = (x - start[0]) * (end[1] - start[1]) < (y - start[1]) * (end[0] - start[0])
        inside = inside ^ (spans & (left == (np.asarray(end[1]) > start[1])))
    return np.where(inside, -nearest, nearest)


def radial(x: Grid, y: Grid, points: int, outer: Grid | float, inner: Grid | float) -> Grid:
    """A star with straight edges; `inner` is the radius of its notches."""
    turns = np.arange(2 * points) * np.pi / points - np.pi / 2
    radii = [outer, inner] * points
    return polygon(x, y, [(r * np.cos(t), r * np.sin(t)) for r, t in zip(radii, turns, strict=True)])


def mirrored(right: Sequence[Corner]) -> list[Corner]:
    """The right half of an outline, from top to bottom, and its mirror image."""
    return [*right, *[(-px, py) for px, py in reversed(right)]]
