"""Clusters: one centre per class, and a score from the distances to them."""

from collections.abc import Mapping
from itertools import product

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from app.services.scenes.cast import FAR, KNOWN, NEAR, Cast
from app.services.scenes.frames import Bars, Dial, Fact, Histogram, Mark, Points, Scene, Set, heights, over
from app.services.scenes.measures import AGAINST, AUROC, FPR95, against, measure
from app.services.scenes.words import exponentials, number
from oodcore.functional import representation_score, squared_distances
from oodcore.records import Bank, Outputs

__all__ = ["scene"]

TAUS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.12, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0)
DOTS = {KNOWN: 260, NEAR: 160, FAR: 100}  # drawn of each set


def scene(cast: Cast) -> Scene:
    """Dials: `tau`, and `against` which strangers."""
    actor = cast.actor("semantic")
    centers = next(iter(actor.reference.values())).centers
    assert centers is not None  # noqa: S101  this network was trained with them
    centers = centers.double()
    shape = (len(TAUS), len(AGAINST))
    ends, known, strange = np.empty((*shape, 2)), np.empty((*shape, 40)), np.empty((*shape, 40))
    area, passed, line = np.empty(shape), np.empty(shape), np.empty(shape)
    for (a, tau), (b, name) in product(enumerate(TAUS), enumerate(AGAINST.values())):
        inside, outside = (
            representation_score(embedded(actor.reference[one].outputs), centers, temperature=tau)
            for one in (KNOWN, name)
        )
        at = a, b
        ends[at], (known[at], strange[at]) = heights([inside.numpy(), outside.numpy()])
        area[at], passed[at], line[at], _ = measure(inside, outside)
    mine = embedded(actor.outputs)
    scores = np.stack([representation_score(mine, centers, temperature=tau).numpy() for tau in TAUS])
    gaps = squared_distances(mine, centers, "cosine")
    dials = ("tau", "against")
    return Scene(
        dials={
            "tau": Dial("tau", "Temperature τ", TAUS, tuple(f"{tau:g}" for tau in TAUS), 6),
            "against": against(),
        },
        views={
            "map": Points(
                "Known shapes sit at one centre; strangers between them",
                "distance to the nearest centre",
                "distance to the second nearest",
                (0.0, _ceiling(0, actor.reference), 0.0, _ceiling(1, actor.reference)),
                [
                    ("textures", "plain", nearest_two(actor.reference[FAR], DOTS[FAR])),
                    ("new shapes", "ood", nearest_two(actor.reference[NEAR], DOTS[NEAR])),
                    ("known shapes", "id", nearest_two(actor.reference[KNOWN], DOTS[KNOWN])),
                ],
                over("picture", values=gaps.sort(dim=1).values[:, :2]),
            ),
            "distances": Bars(
                "This picture’s distance to every centre",
                cast.classes,
                0.0,
                float(gaps.max()),
                "number",
                over("picture", values=gaps),
                colour="plain",
                chosen=over("picture", values=gaps.argmin(dim=1)),
            ),
            "histogram": Histogram(
                "Representation scores",
                "R: higher = more out-of-distribution. Each curve is scaled to its own peak.",
                over(*dials, values=ends),
                [
                    Set("strangers", "ood", over(*dials, values=strange)),
                    Set("known shapes", "id", over(*dials, values=known)),
                ],
                [Mark("keeps 95 % of known", over(*dials, values=line), "right")],
                over("tau", "picture", values=scores),
            ),
        },
        facts={
            "auroc": Fact(AUROC, over(*dials, values=area), better="up"),
            "fpr95": Fact(FPR95, over(*dials, values=passed), better="down"),
            "nearest": Fact("distance to the nearest centre", over("picture", values=gaps.amin(dim=1)), "number"),
            "score": Fact("this picture’s R", over("tau", "picture", values=scores), "number"),
            "flagged": Fact("this picture", over("tau", "picture", values=scores > line[:, :1]), "decision"),
        },
        numbers={
            "distance": over("picture", values=[_distance(cast.classes, row) for row in gaps.tolist()]),
            "score": over(
                "picture",
                "tau",
                values=[
                    [_score(row, tau, scores[a, index]) for a, tau in enumerate(TAUS)]
                    for index, row in enumerate(gaps.tolist())
                ],
            ),
        },
        pictures=cast.cards,
    )


def embedded(outputs: Outputs) -> Float64[Tensor, "n m"]:
    """Embeddings in double precision."""
    assert outputs.embeddings is not None  # noqa: S101  this network was trained with them
    return outputs.embeddings.double()


def nearest_two(bank: Bank, count: int) -> list[list[float]]:
    """Distances of the first rows to their nearest and second nearest centre."""
    assert bank.centers is not None  # noqa: S101
    gaps = squared_distances(embedded(bank.outputs.take(slice(count))), bank.centers.double(), "cosine")
    return np.round(gaps.sort(dim=1).values[:, :2].numpy(), 3).tolist()


def _ceiling(axis: int, reference: Mapping[str, Bank]) -> float:
    return 1.04 * max(point[axis] for name, count in DOTS.items() for point in nearest_two(reference[name], count))


def _distance(classes: tuple[str, ...], gaps: list[float]) -> str:
    best = min(range(len(gaps)), key=gaps.__getitem__)
    cosine = 1 - gaps[best] / 2
    return f"D_{{{classes[best]}}} = 2 \N{MINUS SIGN} 2 · {number(cosine, 3)} = {number(gaps[best], 3)}"


def _score(gaps: list[float], tau: float, score: float) -> str:
    return (
        f"R = \N{MINUS SIGN}{tau:g} · log({exponentials([-gap for gap in gaps], f'/{tau:g}', 2)}) = {number(score, 3)}"
    )
