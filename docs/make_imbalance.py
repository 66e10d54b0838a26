"""Draws docs/pictures/imbalance.svg and writes docs/results/imbalance.md from docs/results/imbalance.csv.

`python docs/make_imbalance.py`; a test says when they are out of date. In the picture lines are means over seeds, bars
reach from the lowest seed to the highest, and the dashed line is the network before.
"""

import csv
import math
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev

HERE = Path(__file__).parent
RESULTS, PICTURE = HERE / "results" / "imbalance.csv", HERE / "pictures" / "imbalance.svg"
TABLE = HERE / "results" / "imbalance.md"

Run = dict[str, str]

COLOURS = {  # told apart by colour-blind readers too (Okabe and Ito)
    "energy": "#0072b2",
    "control (γ 0)": "#56b4e9",
    "balanced, γ 0.5": "#e69f00",
    "balanced, γ 1": "#d55e00",
}
BEFORE = "before"
SIDE, GAP, LEFT, TOP, LOW, HIGH = 190, 26, 48, 60, 0.55, 1.0
"""Of a panel, in pixels; and the AUROCs at its bottom and top."""


def families(run: Run) -> list[float]:
    """AUROC of each family of look-alikes, the most common first."""
    return [float(value) for name, value in run.items() if name.startswith("auroc_alike_")]


PANELS: dict[str, Callable[[Run], float]] = {
    "look-alikes, all families": lambda run: float(run["auroc_alike"]),
    "three most common": lambda run: fmean(families(run)[:3]),
    "three rarest": lambda run: fmean(families(run)[-3:]),
    "near OOD": lambda run: float(run["auroc_near"]),
}


COLUMNS: dict[str, Callable[[Run], float]] = {
    **PANELS,
    "far OOD": lambda run: float(run["auroc_far"]),
    "accuracy": lambda run: float(run["accuracy"]),
}
HEADING = """# Drawn shapes: crowded auxiliary outliers

AUROC of the energy and accuracy, in per cent; imbalance is how often the first family of look-alikes is drawn for each
picture of the last. Bold lines are mean ± standard deviation over seeds (n − 1). Every line is one fine-tuning of
`shapes-resnet20w4` over {steps} steps of 32 + 64 images on one thread of a CPU: `python -m benchmarks imbalance`.
"""


def table(runs: list[Run]) -> str:
    """The whole file: mean and spread of each loss at each imbalance, then every seed."""
    trained = [run for run in runs if run["way"] != BEFORE]
    cells = [["imbalance", "loss", "seed", *COLUMNS], ["--:", "---", "--:", *["--:"] * len(COLUMNS)]]
    cells += [["–", BEFORE, "–", *(f"{100 * read(run):.1f}" for read in COLUMNS.values())]
              for run in runs if run["way"] == BEFORE]  # fmt: skip
    for imbalance in sorted({float(run["imbalance"]) for run in trained}):
        for way in COLOURS:
            seeds = [run for run in trained if (float(run["imbalance"]), run["way"]) == (imbalance, way)]
            if len(seeds) > 1:
                columns = [[100 * read(run) for run in seeds] for read in COLUMNS.values()]
                means = [f"{fmean(values):.1f} ± {stdev(values):.1f}" for values in columns]
                cells.append([f"**{imbalance:g}**", f"**{way}**", "", *means])
            cells += [[f"{imbalance:g}", way, run["seed"], *(f"{100 * read(run):.1f}" for read in COLUMNS.values())]
                      for run in seeds]  # fmt: skip
    (steps,) = {run["steps"] for run in trained}
    return HEADING.format(steps=steps) + "\n" + "".join(f"| {' | '.join(line)} |\n" for line in cells)


def picture(runs: list[Run]) -> str:
    """The whole file."""
    imbalances = sorted({float(run["imbalance"]) for run in runs if run["way"] != BEFORE})
    width, height = LEFT + len(PANELS) * (SIDE + GAP), TOP + SIDE + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="12">',
        "<title>AUROC of the energy over the imbalance of the auxiliary outliers</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        *(key(number, way, colour) for number, (way, colour) in enumerate({**COLOURS, BEFORE: "#666"}.items())),
    ]
    for number, (title, read) in enumerate(PANELS.items()):
        left = LEFT + number * (SIDE + GAP)
        parts += [*frame(title, left, imbalances, labelled=number == 0), *lines(runs, read, left, imbalances)]
    middle = (LEFT + width - GAP) / 2
    parts.append(words(middle, height - 8, "how often the first family is drawn, for each picture of the last"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def key(number: int, way: str, colour: str) -> str:
    """A line and what it stands for."""
    left = LEFT + 150 * number
    dashes = ' stroke-dasharray="5 4"' if way == BEFORE else ""
    line = f'<line x1="{left}" x2="{left + 24}" y1="16" y2="16" stroke="{colour}" stroke-width="2.5"{dashes}/>'
    return line + words(left + 30, 20, way, "start")


def frame(title: str, left: int, imbalances: list[float], *, labelled: bool) -> list[str]:
    """Box, title and scales of a panel."""
    parts = [
        f'<rect x="{left}" y="{TOP}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#999"/>',
        words(left + SIDE / 2, TOP - 10, title),
        *(
            words(x, TOP + SIDE + 16, f"{value:g}")
            for value, x in zip(imbalances, across(imbalances, left), strict=True)
        ),
    ]
    for level in (0.6, 0.7, 0.8, 0.9):
        parts.append(f'<path d="M{left} {down(level):.1f}h{SIDE}" stroke="#ddd"/>')
        if labelled:
            parts.append(words(left - 6, down(level) + 4, f"{level:g}", "end"))
    if labelled:
        parts.append(f'<text transform="translate(14 {TOP + SIDE / 2}) rotate(-90)" text-anchor="middle">AUROC</text>')
    return parts


def lines(runs: list[Run], read: Callable[[Run], float], left: int, imbalances: list[float]) -> list[str]:
    """One per loss, and the network before."""
    before = fmean(read(run) for run in runs if run["way"] == BEFORE)
    parts = [f'<path d="M{left} {down(before):.1f}h{SIDE}" stroke="#666" stroke-width="1.5" stroke-dasharray="5 4"/>']
    for way, colour in COLOURS.items():
        points = []
        for imbalance, x in zip(imbalances, across(imbalances, left), strict=True):
            seeds = [read(run) for run in runs if run["way"] == way and float(run["imbalance"]) == imbalance]
            if seeds:
                ends = f"M{x:.1f} {down(min(seeds)):.1f}V{down(max(seeds)):.1f}"
                parts.append(f'<path d="{ends}" stroke="{colour}" stroke-width="1.5"/>')
                points.append(f"{x:.1f},{down(fmean(seeds)):.1f}")
        parts.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
    return parts


def across(imbalances: list[float], left: int) -> list[float]:
    """Their places, as far apart as their logarithms."""
    inside, widest = SIDE - 24, math.log(imbalances[-1])
    return [left + 12 + inside * math.log(value) / widest for value in imbalances]


def down(value: float) -> float:
    """The place of an AUROC."""
    return TOP + SIDE * (HIGH - value) / (HIGH - LOW)


def words(x: float, y: float, text: str, anchor: str = "middle") -> str:
    """A line of text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def measured() -> list[Run]:
    """The lines of the table."""
    with RESULTS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    PICTURE.write_text(picture(measured()), encoding="utf-8")
    TABLE.write_text(table(measured()), encoding="utf-8")
