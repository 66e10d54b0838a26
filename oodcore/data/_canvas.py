"""Colours, light, backgrounds and grain: from a signed distance to a picture, and pictures without any figure."""

from typing import NamedTuple

import numpy as np

from oodcore.data._dice import Dice
from oodcore.data._distance import Grid, circle, segment, turned
from oodcore.data._figures import Figure
from oodcore.data._textures import stripes

SIZE = 32  # pixels a side
Colour = np.ndarray  # float64 (n, 3, 1, 1), sRGB in 0..1
Picture = np.ndarray  # float64 (n, 3, SIZE, SIZE), sRGB, clipped to 0..1 only at the end

# OKLab → cone responses → linear sRGB (Ottosson, "A perceptual color space for image processing", 2020).
TO_CONES = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.291485548]]
)
TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def paint(lightness: Grid, chroma: Grid, hue: Grid) -> Colour:
    """OKLCh → sRGB: lightness in 0..1, chroma in 0..0.3, hue in turns; clipped to what a screen can show."""
    turn = 2 * np.pi * hue
    lab = np.concatenate([lightness, chroma * np.cos(turn), chroma * np.sin(turn)], axis=-1)  # (n, 1, 3)
    linear = np.clip((lab @ TO_CONES.T) ** 3 @ TO_RGB.T, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return encoded.transpose(0, 2, 1)[..., None]


def blend(under: Picture | Colour, over: Picture | Colour, cover: Grid) -> Picture:
    """`over` where `cover` (n, SIZE, SIZE) is 1, `under` where it is 0."""
    return under + (over - under) * cover[:, None]


def cover(distance: Grid) -> Grid:
    """Share of each pixel inside the outline, from the distance of its centre in pixels."""
    return np.clip(0.5 - distance, 0, 1)


def pixels() -> tuple[Grid, Grid]:
    """Pixel centres, the picture's centre being the origin: x to the right, y down."""
    place = np.arange(SIZE) - (SIZE - 1) / 2
    return np.broadcast_to(place, (1, SIZE, SIZE)), np.broadcast_to(place[:, None], (1, SIZE, SIZE))


class Palette(NamedTuple):
    """Colours that go together, with the figure set off from the background."""

    ground: Colour
    ground_too: Colour
    clutter: Colour
    fill: Colour
    fill_too: Colour


def palette(dice: Dice) -> Palette:
    """A dark, middle or light background; the figure lighter or darker by a lightness step and of another hue."""
    ground = dice.between(0.25, 0.9)
    step = dice.between(0.32, 0.5) * np.where(ground + dice.between(-0.1, 0.1) > 0.58, -1, 1)
    hue = dice.between(0, 1)
    fill_hue = hue + dice.between(0.2, 0.8)
    muted, vivid = dice.between(0.02, 0.09), dice.between(0.1, 0.2)
    return Palette(
        ground=paint(ground, muted, hue),
        ground_too=paint(ground + dice.between(-0.12, 0.12), muted, hue + dice.between(-0.12, 0.12)),
        clutter=paint(ground + step * dice.between(0.1, 0.5), muted + 0.03, hue + dice.between(-0.25, 0.25)),
        fill=paint(ground + step, vivid, fill_hue),
        fill_too=paint(ground + step * dice.between(0.75, 1.3), vivid, fill_hue + dice.between(-0.1, 0.1)),
    )


def backdrop(colours: Palette, dice: Dice) -> Picture:
    """Two colours that flow into each other, with discs out of focus, stray lines and, now and then, stripes."""
    x, y = pixels()
    across, along = turned(x, y, dice.between(0, 1))
    flow = 0.5 + across / SIZE + 0.3 * np.sin(along * dice.between(0.1, 0.35) + 6 * dice.between(0, 1))
    scene = blend(colours.ground, colours.ground_too, np.clip(flow, 0, 1))
    clutter = dice.happens(0.3) * 0.5 * stripes(x, y, dice)
    for _ in range(2):
        at = (dice.between(-16, 16), dice.between(-16, 16))
        spot = 0.5 - circle(x, y, dice.between(1.5, 5), at) / dice.between(1, 4)
        clutter = np.maximum(clutter, np.clip(spot, 0, 1) * dice.between(0, 0.8))
    for _ in range(2):
        ends = [(dice.between(-20, 20), dice.between(-20, 20)) for _ in range(2)]
        line = cover(segment(x, y, *ends) - dice.between(0.3, 0.9))
        clutter = np.maximum(clutter, line * dice.happens(0.5) * 0.9)
    return blend(scene, colours.clutter, clutter)


def draw(figure: Figure, dice: Dice) -> Picture:
    """A lit, textured figure with a shadow, somewhere on a cluttered background."""
    x, y = pixels()
    colours = palette(dice)
    scene = backdrop(colours, dice)
    radius = dice.between(9.5, 13)
    slack = 15.5 - 0.9 * radius
    fx, fy = x - dice.between(-1, 1) * slack, y - dice.between(-1, 1) * slack
    tilt = dice.between(-0.15, 0.15)
    gap = radius * figure(*turned(fx / radius, fy / radius, tilt), dice)
    shape = cover(gap) * (1 - dice.happens(0.05) * dice.between(0.75, 0.95))  # a few are hardly there
    scene = scene * (1 - dice.between(0.1, 0.5) * shadow(shape))[:, None]
    return blend(scene, surface(gap, fx / radius, fy / radius, colours, dice), shape)


def cloth(texture: Figure, dice: Dice) -> Picture:
    """A texture from edge to edge, in two colours of different hue and not very different lightness."""
    ground, hue = dice.between(0.35, 0.85), dice.between(0, 1)
    step = dice.between(0.04, 0.13) * np.where(ground > 0.6, -1, 1)
    below = paint(ground, dice.between(0.03, 0.12), hue)
    above = paint(ground + step, dice.between(0.05, 0.15), hue + dice.between(0.1, 0.9))
    return blend(below, above, texture(*pixels(), dice))


def shadow(shape: Grid) -> Grid:
    """The figure's own shape, softened and moved down right: light comes from above left in every picture."""
    soft = np.zeros_like(shape)
    for step in (1, 2, 3):
        soft[:, step:, step:] += shape[:, :-step, :-step] / 3
    return soft


def surface(gap: Grid, x: Grid, y: Grid, colours: Palette, dice: Dice) -> Picture:
    """Fill with a gradient, a pattern in some pictures, a bevelled edge lit from above left, an outline in some."""
    across, along = turned(x, y, dice.between(0, 1))
    fill = blend(colours.fill, colours.fill_too, np.clip(0.5 + 0.5 * across, 0, 1))
    frequency = dice.between(5, 10)
    stripes, dots = np.sin(across * frequency), np.sin(across * frequency) * np.sin(along * frequency)
    kind = dice.between(0, 1)
    pattern = np.where(kind < 0.25, stripes, np.where(kind < 0.5, 1.4 * dots, 0)) * dice.between(0.08, 0.2)
    facing = -(np.gradient(gap, axis=1) + np.gradient(gap, axis=2)) * 0.7
    bevel = -facing * np.exp(np.minimum(gap, 0) / 1.5) * dice.between(0.05, 0.25)
    outline = dice.happens(0.25) * dice.between(0.3, 0.6) * cover(-gap - 1.2)
    light = (1 + pattern + dice.between(0, 0.12) * -(x + y)) * (1 - outline) + bevel
    return fill * light[:, None]
