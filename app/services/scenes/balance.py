"""Why balance: outliers crowd into a few classes. What the prior does to the margins, and what a sweep measured."""

import csv
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

import torch

import oodcore
from app.services.scenes.cast import Cast
from app.services.scenes.frames import Bars, Curve, Dial, Fact, Lines, Scene, Table, over
from app.services.scenes.words import number
from oodcore.data.procedural import family_counts, procedural
from oodcore.errors import DataError
from oodcore.priors import majority, temper

__all__ = ["Cell", "measured", "results", "scene"]

GAMMAS = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
ALPHAS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0)
WAYS = ("energy", "control (γ 0)", "balanced, γ 0.5", "balanced, γ 1")  # as the table calls them
SHOWN = 5000  # look-alikes that every network of the sweep was shown
TABLE = "imbalance.csv"

Cell = tuple[int, str]
"""Imbalance, and the loss."""

Columns = Mapping[Cell, Mapping[str, float]]


def results() -> Path:
    """The measured table: among the results of a working copy, or inside the package of a wheel.

    Raises:
        DataError: it is in neither place.
    """
    package = Path(oodcore.__file__).parent
    places = (package.parent / "docs" / "results" / TABLE, package / "_results" / TABLE)
    for place in places:
        if place.is_file():
            return place
    raise DataError(f"The lesson on balance reads '{places[0]}', which is missing. Get it again from the project.")


def measured(path: Path) -> dict[Cell, dict[str, float]]:
    """Imbalance and loss → means over the seeds that are in, and their number; cells of which none is in are absent.

    Args:
        path: Written by `python -m benchmarks imbalance`.
    """
    families = procedural("shapes-aux", "test", count=1).classes
    columns = [f"auroc_alike_{family}" for family in families]
    rows: dict[Cell, list[dict[str, str]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault((round(float(row["imbalance"])), row["way"]), []).append(row)
    return {
        cell: {
            "often": fmean(float(row[name]) for row in part for name in columns[:3]),
            "rarely": fmean(float(row[name]) for row in part for name in columns[-3:]),
            "near": fmean(float(row["auroc_near"]) for row in part),
            "crowd": fmean(float(row["largest_prior"]) for row in part),
            "seeds": len(part),
        }
        for cell, part in rows.items()
    }


def scene(cast: Cast) -> Scene:
    """Dials: `imbalance` and `loss` of measured trainings; `gamma` and `alpha` of balanced energy's margins."""
    actor, found = cast.actor("before"), measured(results())
    crowds = tuple(sorted({imbalance for imbalance, way in found if all((imbalance, one) in found for one in WAYS)}))
    tempered = torch.stack([temper(actor.prior, gamma) for gamma in GAMMAS])
    alphas = torch.tensor(ALPHAS, dtype=torch.float64)
    lifts = tempered[:, None, :] * alphas[:, None]
    logits = actor.outputs.logits.double()
    share = torch.stack([majority(logits, prior) for prior in tempered], dim=1)  # picture, gamma
    base = float(cast.actor("balanced").loss["margin_out"])
    both = ("gamma", "alpha")
    families = procedural("shapes-aux", "test", count=1).classes
    return Scene(
        dials={
            "imbalance": Dial("imbalance", "Crowd, most to least shown", crowds, tuple(f"{c:g} : 1" for c in crowds)),
            "loss": Dial("loss", "Trained with", WAYS, ("energy", "its control", "balanced, γ 0.5", "balanced, γ 1")),
            "gamma": Dial("gamma", "γ: how much of it is seen", GAMMAS, tuple(f"{g:g}" for g in GAMMAS), 6),
            "alpha": Dial("alpha", "α: how far margins rise", ALPHAS, tuple(f"{a:g}" for a in ALPHAS), 7),
        },
        views={
            "families": Bars(
                f"Look-alikes shown in training, {SHOWN:,} in all",
                families,
                0.0,
                float(max(family_counts(SHOWN, len(families), crowds[-1]))),
                "number",
                over("imbalance", values=[family_counts(SHOWN, len(families), crowd) for crowd in crowds]),
                colour="aux",
            ),
            "measured": Lines(
                "Energy after fine-tuning: AUROC against look-alikes",
                "crowd: most to least shown family",
                x=[_along(crowds, crowd) for crowd in crowds],
                ticks=[(_along(crowds, crowd), f"{crowd:g} : 1") for crowd in crowds],
                low=0.5,
                high=1.0,
                curves=[
                    Curve(
                        "three rarest, plain energy",
                        "plain",
                        _column(found, crowds, "rarely", fixed="energy"),
                        strong=False,
                    ),
                    Curve("three most shown", "aux", _column(found, crowds, "often")),
                    Curve("three rarest", "ood", _column(found, crowds, "rarely")),
                ],
                cursor=over("imbalance", values=[_along(crowds, crowd) for crowd in crowds]),
            ),
            "prior": Bars(
                "Where outliers land: the prior, tempered with γ",
                cast.classes,
                0.0,
                float(tempered.max()),
                "percent",
                over("gamma", values=tempered),
                name="tempered",
                colour="aux",
                behind=over(values=temper(actor.prior, 1.0)),
                behind_name="as counted",
            ),
            "lifts": Bars(
                "How far the margin rises where an outlier surely looks like a …",
                cast.classes,
                0.0,
                float(lifts.max()),
                "number",
                over(*both, values=lifts),
                colour="aux",
            ),
        },
        facts={
            "rarely": Fact("AUROC, three rarest families", _table(found, crowds, "rarely"), better="up"),
            "often": Fact("AUROC, three most shown", _table(found, crowds, "often"), better="up"),
            "new": Fact("AUROC, new shapes", _table(found, crowds, "near"), better="up"),
            "crowd": Fact(
                "of outliers land in one class",
                over("imbalance", values=[found[crowd, WAYS[0]]["crowd"] for crowd in crowds]),
            ),
            "seeds": Fact("networks averaged", _table(found, crowds, "seeds"), "number"),
            "most": Fact("rise in the most crowded class", over(*both, values=lifts.amax(dim=-1)), "number"),
            "apart": Fact(
                "most crowded above emptiest", over(*both, values=lifts.amax(dim=-1) - lifts.amin(dim=-1)), "number"
            ),
        },
        numbers={
            "majority": over(
                "picture",
                "gamma",
                values=[
                    [
                        _majority(row.softmax(0).tolist(), prior.tolist(), float(z))
                        for prior, z in zip(tempered, some, strict=True)
                    ]
                    for row, some in zip(logits, share, strict=True)
                ],
            ),
            "margin": over(
                "picture",
                "gamma",
                "alpha",
                values=[[[_margin(base, a, float(z)) for a in ALPHAS] for z in some] for some in share],
            ),
        },
        pictures=cast.cards,
    )


def _table(found: Columns, crowds: tuple[int, ...], column: str) -> Table:
    return over("imbalance", "loss", values=[[found[crowd, way][column] for way in WAYS] for crowd in crowds])


def _column(found: Columns, crowds: tuple[int, ...], column: str, fixed: str = "") -> Table:
    if fixed:
        return over(values=[found[crowd, fixed][column] for crowd in crowds])
    return over("loss", values=[[found[crowd, way][column] for crowd in crowds] for way in WAYS])


def _along(crowds: tuple[int, ...], crowd: int) -> float:
    return crowds.index(crowd) / max(1, len(crowds) - 1)


def _majority(shares: list[float], prior: list[float], z: float) -> str:
    first = sorted(zip(shares, prior, strict=True), reverse=True)[:2]
    terms = " + ".join(f"{number(s)} · {number(p, 3)}" for s, p in first)
    return f"Z = {terms} + {len(shares) - len(first)} more = {number(z, 3)}"


def _margin(base: float, alpha: float, z: float) -> str:
    return f"margin = {number(base)} + {alpha:g} · {number(z, 3)} = {number(base + alpha * z)}"
