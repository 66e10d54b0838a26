"""Figures as signed distances, each about as large as the unit disc.

The distance is exact for most and close to exact near the outline for the rest, which is what anti-aliasing needs.
`dice` varies the proportions of each picture. The three families of figures have none in common.
"""

from collections.abc import Callable
from functools import reduce

import numpy as np

from oodcore.data._dice import Dice
from oodcore.data._distance import Grid, box, circle, length, mirrored, polygon, radial, stroke

Figure = Callable[[Grid, Grid, Dice], Grid]

# --- in distribution ------------------------------------------------------------------------------------------------


def disc(x: Grid, y: Grid, dice: Dice) -> Grid:
    return circle(x, y, dice.between(0.8, 0.95))


def ring(x: Grid, y: Grid, dice: Dice) -> Grid:
    return np.abs(circle(x, y, 0.76)) - dice.between(0.13, 0.24)


def square(x: Grid, y: Grid, dice: Dice) -> Grid:
    rounding = dice.between(0, 0.12)
    half = 0.78 - rounding
    return box(x, y, (half * dice.between(0.94, 1.06), half)) - rounding


def triangle(x: Grid, y: Grid, dice: Dice) -> Grid:
    half = dice.between(0.8, 0.98)
    return polygon(x, y, [(0, -0.95), (half, 0.65), (-half, 0.65)])


def star(x: Grid, y: Grid, dice: Dice) -> Grid:
    return radial(x, y, 5, 1.05, dice.between(0.4, 0.52))


def cross(x: Grid, y: Grid, dice: Dice) -> Grid:
    arm = dice.between(0.2, 0.34)
    return np.minimum(box(x, y, (0.95, arm)), box(x, y, (arm, 0.95)))


def crescent(x: Grid, y: Grid, dice: Dice) -> Grid:
    bite = circle(x, y, dice.between(0.72, 0.82), (dice.between(0.4, 0.55), 0.0))
    return np.maximum(circle(x, y, 0.98), -bite)


def arrow(x: Grid, y: Grid, dice: Dice) -> Grid:
    shaft, barb, neck = dice.between(0.17, 0.28), dice.between(0.62, 0.82), dice.between(-0.15, 0.1)
    return polygon(x, y, mirrored([(0, -1.05), (barb, neck), (shaft, neck), (shaft, 1.0)])[:-1])


def heart(x: Grid, y: Grid, dice: Dice) -> Grid:
    turns, wide = np.arange(22) * np.pi / 11, dice.between(0.92, 1.08)
    across = 16 / 17 * np.sin(turns) ** 3
    down = -(13 * np.cos(turns) - 5 * np.cos(2 * turns) - 2 * np.cos(3 * turns) - np.cos(4 * turns)) / 16 - 0.12
    return polygon(x, y, [(px * wide, py) for px, py in zip(across, down, strict=True)])


def spiral(x: Grid, y: Grid, dice: Dice) -> Grid:
    pitch, radius = dice.between(0.42, 0.52), length(x, y)
    arm = radius / pitch - np.arctan2(y, x) / (2 * np.pi)
    band = np.abs(arm - np.rint(arm)) * pitch - pitch * dice.between(0.22, 0.3)
    return np.maximum(band, radius - 1.0)


# --- look-alikes, one for each class above: auxiliary outliers -------------------------------------------------------


def oval(x: Grid, y: Grid, dice: Dice) -> Grid:
    flat = dice.between(0.58, 0.72)
    radius, slope = length(x, y / flat), length(x, y / flat**2)
    return radius * (radius - 1) / np.maximum(slope, 1e-9)


def nut(x: Grid, y: Grid, dice: Dice) -> Grid:
    return np.maximum(radial(x, y, 3, 0.98, 0.98), -circle(x, y, dice.between(0.4, 0.56)))


def brick(x: Grid, y: Grid, dice: Dice) -> Grid:
    return box(x, y, (0.92, dice.between(0.5, 0.64)))


def trapezoid(x: Grid, y: Grid, dice: Dice) -> Grid:
    top = dice.between(0.22, 0.36)
    return polygon(x, y, [(top, -0.65), (0.98, 0.65), (-0.98, 0.65), (-top, -0.65)])


def hexagram(x: Grid, y: Grid, dice: Dice) -> Grid:
    return radial(x, y, 6, 1.02, dice.between(0.5, 0.6))


def gear(x: Grid, y: Grid, dice: Dice) -> Grid:
    turn = np.arctan2(y, x) % (np.pi / 4) - np.pi / 8
    radius = length(x, y)
    tooth = box(radius * np.cos(turn), radius * np.sin(turn), (1.0, dice.between(0.14, 0.19)))
    return np.maximum(np.minimum(circle(x, y, 0.74), tooth), -circle(x, y, dice.between(0.28, 0.4)))


def banana(x: Grid, y: Grid, dice: Dice) -> Grid:
    turns = np.linspace(-1, 1, 9) * dice.between(0.9, 1.15)
    points = [(1.0 * np.cos(turns[..., i : i + 1]) - 0.75, np.sin(turns[..., i : i + 1])) for i in range(9)]
    return stroke(x, y, points, dice.between(0.2, 0.27))


def chevron(x: Grid, y: Grid, dice: Dice) -> Grid:
    tip = dice.between(-0.75, -0.55)
    return stroke(x, y, [(-0.75, 0.4), (0.0, tip), (0.75, 0.4)], dice.between(0.2, 0.28))


def spade(x: Grid, y: Grid, dice: Dice) -> Grid:
    lobes = circle(np.abs(x), y, 0.42, (0.44, 0.18))
    blade = polygon(x, y, mirrored([(0.0, -1.0), (0.8, -0.04), (0.3, 0.4)])[:-1])
    stem = polygon(x, y, [(0.0, 0.0), (dice.between(0.25, 0.4), 0.95), (dice.between(-0.4, -0.25), 0.95)])
    return reduce(np.minimum, [lobes, blade, stem])


def ripple(x: Grid, y: Grid, dice: Dice) -> Grid:
    pitch, radius = dice.between(0.4, 0.48), length(x, y)
    band = np.abs(radius / pitch - np.rint(radius / pitch)) * pitch - pitch * dice.between(0.2, 0.28)
    return np.maximum(band, radius - 1.0)


# --- other figures: near out-of-distribution -------------------------------------------------------------------------


def bell(x: Grid, y: Grid, dice: Dice) -> Grid:
    flare = dice.between(0.85, 0.98)
    body = polygon(x, y, mirrored([(0.28, -0.75), (0.5, -0.4), (0.58, 0.2), (flare, 0.6)]))
    return reduce(np.minimum, [body, circle(x, y, 0.3, (0, -0.7)), circle(x, y, 0.2, (0, 0.75))])


def bolt(x: Grid, y: Grid, dice: Dice) -> Grid:
    lean = dice.between(0.9, 1.1)
    outline = [(0.3, -1.0), (-0.6, 0.15), (-0.05, 0.15), (-0.3, 1.0), (0.6, -0.25), (0.05, -0.25), (0.55, -1.0)]
    return polygon(x, y, [(px * lean, py) for px, py in outline])


def cloud(x: Grid, y: Grid, dice: Dice) -> Grid:
    puffs = [((-0.6, 0.12), 0.4), ((-0.12, -0.22), 0.5), ((0.45, -0.05), 0.42), ((0.72, 0.22), 0.3)]
    heap = reduce(np.minimum, [circle(x, y, r * dice.between(0.92, 1.12), at) for at, r in puffs])
    return np.maximum(np.minimum(heap, box(x, y, (0.7, 0.25), (0, 0.25))), y - 0.5)


def drop(x: Grid, y: Grid, dice: Dice) -> Grid:
    radius = dice.between(0.56, 0.68)
    low = 0.95 - radius
    touch = np.arcsin(radius / (low + 1.05))
    cone = polygon(x, y, mirrored([(0.0, -1.05), (radius * np.cos(touch), low - radius * np.sin(touch))])[:-1])
    return np.minimum(circle(x, y, radius, (0, low)), cone)


def fish(x: Grid, y: Grid, dice: Dice) -> Grid:
    bend = dice.between(0.25, 0.4)
    body = np.maximum(circle(x, y, 0.62 + bend, (-0.25, bend)), circle(x, y, 0.62 + bend, (-0.25, -bend)))
    tail = polygon(x, y, [(0.3, 0.0), (1.0, -0.5), (0.8, 0.0), (1.0, 0.5)])
    return np.minimum(body, tail)


def house(x: Grid, y: Grid, dice: Dice) -> Grid:
    eaves = dice.between(-0.25, -0.05)
    walls = polygon(x, y, mirrored([(0.0, -1.0), (0.95, eaves), (0.68, eaves), (0.68, 0.9)])[:-1])
    return np.maximum(walls, -box(x, y, (0.2, 0.2), (0, 0.3)))


def magnet(x: Grid, y: Grid, dice: Dice) -> Grid:
    bend = length(x, np.minimum(y + 0.25, 0))
    return np.maximum(np.abs(bend - 0.66) - dice.between(0.2, 0.27), y - dice.between(0.6, 0.85))


def key(x: Grid, y: Grid, dice: Dice) -> Grid:
    bow = np.abs(circle(x, y, 0.34, (0, -0.6))) - 0.14
    shaft = box(x, y, (0.13, 0.65), (0, 0.35))
    teeth = [box(x, y, (0.2, 0.1), (0.28, at)) for at in (dice.between(0.4, 0.5), dice.between(0.76, 0.88))]
    return reduce(np.minimum, [bow, shaft, *teeth])


def mushroom(x: Grid, y: Grid, dice: Dice) -> Grid:
    cap = np.maximum(circle(x, y / 0.85, 0.95, (0, 0.05)), y - 0.05)
    return np.minimum(cap, box(x, y, (dice.between(0.22, 0.32), 0.45), (0, 0.42)) - 0.06)


def padlock(x: Grid, y: Grid, dice: Dice) -> Grid:
    body = box(x, y, (dice.between(0.62, 0.75), 0.5), (0, 0.42)) - 0.05
    bow = length(x, np.minimum(y + 0.45, 0))
    return np.minimum(body, np.maximum(np.abs(bow - 0.4) - dice.between(0.09, 0.14), y))


def named(*figures: Figure) -> dict[str, Figure]:
    """Each under its own name, in this order."""
    return {str(getattr(figure, "__name__", figure)): figure for figure in figures}


INSIDE = named(disc, ring, square, triangle, star, cross, crescent, arrow, heart, spiral)
ALIKE = named(oval, nut, brick, trapezoid, hexagram, gear, banana, chevron, spade, ripple)  # in the order of INSIDE
NOVEL = named(bell, bolt, cloud, drop, fish, house, key, magnet, mushroom, padlock)
