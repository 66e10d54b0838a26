"""Surfaces without a figure, as values in 0..1: far out-of-distribution. x and y are in pixels."""

from functools import reduce

import numpy as np

from oodcore.data._dice import Dice
from oodcore.data._distance import Grid, length, turned
from oodcore.data._figures import named


def wave(x: Grid, y: Grid, dice: Dice, low: float, high: float) -> Grid:
    """Parallel stripes in a random direction; -1..1, `low` to `high` radians per pixel."""
    across, _ = turned(x, y, dice.between(0, 1))
    return np.sin(across * dice.between(low, high) + dice.between(0, 2 * np.pi))


def stripes(x: Grid, y: Grid, dice: Dice) -> Grid:
    return 0.5 + 0.5 * wave(x, y, dice, 0.7, 1.6)


def gradient(x: Grid, y: Grid, dice: Dice) -> Grid:
    across, along = turned(x, y, dice.between(0, 1))
    return np.clip(0.5 + across / 32 + dice.between(-1, 1) * (along / 22) ** 2, 0, 1)


def grating(x: Grid, y: Grid, dice: Dice) -> Grid:
    return np.clip(0.5 + wave(x, y, dice, 0.35, 1.4) * dice.one_of(0.5, 2.0), 0, 1)


def checker(x: Grid, y: Grid, dice: Dice) -> Grid:
    side = np.pi / dice.between(3, 8)
    across, along = turned(x, y, dice.between(0, 1))
    return np.clip(0.5 + np.sin(across * side) * np.sin(along * side) / side, 0, 1)


def weave(x: Grid, y: Grid, dice: Dice) -> Grid:
    step = np.pi / dice.between(2.5, 5)
    across, along = turned(x, y, dice.between(0, 1))
    return 0.5 + 0.25 * (np.sin(across * step) ** 3 + np.sin(along * step) ** 3)


def plasma(x: Grid, y: Grid, dice: Dice) -> Grid:
    return 0.5 + 0.5 * np.tanh(sum(wave(x, y, dice, 0.1, 0.6) for _ in range(4)))


def marble(x: Grid, y: Grid, dice: Dice) -> Grid:
    bend = 2 * wave(x, y, dice, 0.15, 0.3) + wave(x, y, dice, 0.3, 0.6)
    return np.abs(np.sin(turned(x, y, dice.between(0, 1))[0] * dice.between(0.15, 0.35) + bend)) ** 0.6


def rings(x: Grid, y: Grid, dice: Dice) -> Grid:
    far = length(x - dice.between(16, 26) * dice.one_of(-1, 1), y - dice.between(-26, 26))
    return 0.5 + 0.5 * np.sin(far * dice.between(0.6, 1.5))


def polka(x: Grid, y: Grid, dice: Dice) -> Grid:
    step = dice.between(5, 9)
    across, along = turned(x + dice.between(0, 9), y, dice.between(0, 1))
    spot = length(across % step - step / 2, along % step - step / 2)
    return np.clip(step * dice.between(0.2, 0.36) - spot, 0, 1)


def cells(x: Grid, y: Grid, dice: Dice) -> Grid:
    seeds = [(dice.between(-18, 18), dice.between(-18, 18), dice.between(0, 1)) for _ in range(9)]
    gaps = [length(x - px, y - py) for px, py, _ in seeds]
    first = reduce(np.minimum, gaps)
    shade = sum((gap <= first) * tone for gap, (_, _, tone) in zip(gaps, seeds, strict=True))
    return np.asarray(shade)


def static(x: Grid, y: Grid, dice: Dice) -> Grid:
    return np.clip(0.5 + 0.3 * dice.grain(x.shape[-1], layer=1), 0, 1)


TEXTURES = named(gradient, grating, checker, weave, plasma, marble, rings, polka, cells, static)
