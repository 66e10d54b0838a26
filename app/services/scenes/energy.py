"""Energy: how unusual a picture is, from the level of its logits."""

from itertools import product

import numpy as np
import torch

from app.services.scenes.cast import KNOWN, Cast
from app.services.scenes.frames import Curve, Dial, Fact, Histogram, Lines, Mark, Scene, Set, heights, over
from app.services.scenes.measures import AGAINST, AUROC, FPR95, GRID, KEPT, against, measure
from app.services.scenes.words import exponentials, number
from oodcore.functional import free_energy
from oodcore.scorers.msp import MSP

__all__ = ["scene"]

NETWORKS = {"as trained": "before", "fine-tuned": "energy"}
TEMPERATURES = (
    0.1,
    0.2,
    0.3,
    0.5,
    0.7,
    1.0,
    1.5,
    2.0,
    2.5,
    3.0,
    3.5,
    4.0,
    4.5,
    5.0,
    6.0,
    7.0,
    8.0,
    10.0,
    12.0,
    15.0,
    20.0,
)


def scene(cast: Cast) -> Scene:
    """Dials: `network` before and after fine-tuning, `temperature`, and `against` which strangers."""
    shape = (len(NETWORKS), len(TEMPERATURES), len(AGAINST))
    ends, known, strange = np.empty((*shape, 2)), np.empty((*shape, 40)), np.empty((*shape, 40))
    area, passed, line, roc = np.empty(shape), np.empty(shape), np.empty(shape), np.empty((*shape, len(GRID)))
    pictures = np.empty((*shape[:2], len(cast.cards)))
    confidence = [[_confidence(cast, role, name) for name in AGAINST.values()] for role in NETWORKS.values()]
    for (a, role), (b, temperature) in product(enumerate(NETWORKS.values()), enumerate(TEMPERATURES)):
        actor = cast.actor(role)
        pictures[a, b] = free_energy(actor.outputs.logits.double(), temperature)
        inside = free_energy(actor.reference[KNOWN].outputs.logits.double(), temperature)
        for c, name in enumerate(AGAINST.values()):
            outside = free_energy(actor.reference[name].outputs.logits.double(), temperature)
            at = a, b, c
            ends[at], (known[at], strange[at]) = heights([inside.numpy(), outside.numpy()])
            area[at], passed[at], line[at], roc[at] = measure(inside, outside)
    dials = ("network", "temperature", "against")
    threshold, mine = over(*dials, values=line), over("network", "temperature", "picture", values=pictures)
    flagged = pictures > line[:, :, :1]  # known pictures are the same against all strangers
    return Scene(
        dials={
            "network": Dial("network", "Network", tuple(NETWORKS), tuple(NETWORKS)),
            "temperature": Dial("temperature", "Temperature T", TEMPERATURES, tuple(f"{t:g}" for t in TEMPERATURES), 5),
            "against": against(),
        },
        views={
            "histogram": Histogram(
                "Energies",
                "energy E: higher = more out-of-distribution. Each curve is scaled to its own peak.",
                over(*dials, values=ends),
                [
                    Set("strangers", "ood", over(*dials, values=strange)),
                    Set("known shapes", "id", over(*dials, values=known)),
                ],
                [Mark("keeps 95 % of known", threshold, "right")],
                mine,
            ),
            "roc": Lines(
                "Every threshold at once (ROC)",
                "known shapes flagged",
                x=GRID,
                ticks=[(share, f"{100 * share:g} %") for share in (0, 0.25, 0.5, 0.75, 1)],
                low=0.0,
                high=1.0,
                curves=[
                    Curve("strangers flagged", "ood", over(*dials, values=roc)),
                    Curve("guessing", "plain", over(values=GRID), strong=False),
                ],
                spot=over(*dials, values=np.stack([np.full(shape, 1 - KEPT), 1 - passed], axis=-1)),
            ),
        },
        facts={
            "auroc": Fact(AUROC, over(*dials, values=area), better="up"),
            "fpr95": Fact(FPR95, over(*dials, values=passed), better="down"),
            "confidence": Fact(
                "AUROC of the confidence alone", over("network", "against", values=confidence), better="up"
            ),
            "energy": Fact("this picture’s energy", mine, "number"),
            "flagged": Fact("this picture", over("network", "temperature", "picture", values=flagged), "decision"),
        },
        numbers={"energy": over("picture", "network", "temperature", values=_formulas(cast, pictures))},
        pictures=cast.cards,
    )


def _confidence(cast: Cast, role: str, name: str) -> float:
    score, reference = MSP().fit(), cast.actor(role).reference
    return measure(score(reference[KNOWN].outputs).double(), score(reference[name].outputs).double()).auroc


def _formulas(cast: Cast, energies: np.ndarray) -> list[list[list[str]]]:
    logits: list[torch.Tensor] = [cast.actor(role).outputs.logits for role in NETWORKS.values()]
    return [
        [
            [_formula(t, logits[a][row].tolist(), energies[a, b, row]) for b, t in enumerate(TEMPERATURES)]
            for a in range(len(NETWORKS))
        ]
        for row in range(len(cast.cards))
    ]


def _formula(temperature: float, logits: list[float], energy: float) -> str:
    terms = exponentials(logits, f"/{temperature:g}")
    return f"E = \N{MINUS SIGN}{temperature:g} · log({terms}) = {number(energy)}"
