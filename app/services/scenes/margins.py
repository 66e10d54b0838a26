"""Outlier exposure and margins: what training against look-alikes asks for, and what comes of it."""

from torch import Tensor

from app.services.scenes.cast import ALIKE, FAR, KNOWN, NEAR, Cast
from app.services.scenes.frames import Dial, Fact, Histogram, Mark, Scene, Set, heights, over
from app.services.scenes.measures import measure
from app.services.scenes.words import number
from oodcore.functional import free_energy
from oodcore.losses.energy import Energy
from oodcore.metrics import accuracy
from oodcore.records import Outputs

__all__ = ["scene"]

NETWORKS = {"as trained": "before", "outlier exposure": "exposure", "energy margins": "energy"}
INSIDE = tuple(-24 + 0.5 * step for step in range(29))  # to −10
OUTSIDE = tuple(-9.75 + 0.25 * step for step in range(40))  # to 0
FLAT = "logsumexp f \N{MINUS SIGN} mean f"


def scene(cast: Cast) -> Scene:
    """Dials: `network` before and after two trainings; `margin_in` and `margin_out` of the energies before."""
    before = cast.actor("before")
    known, alike = (before.reference[name].outputs for name in (KNOWN, ALIKE))
    pulled_in = [_pulled(inside, OUTSIDE[-1], known, alike)["energy_in"] for inside in INSIDE]
    pulled_out = [_pulled(INSIDE[0], outside, known, alike)["energy_out"] for outside in OUTSIDE]
    ends, (low, high) = heights([free_energy(part.logits).double().numpy() for part in (known, alike)])
    energies = free_energy(before.outputs.logits.double())
    after = [_network(cast, role) for role in NETWORKS.values()]
    return Scene(
        dials={
            "network": Dial("network", "Network", tuple(NETWORKS), tuple(NETWORKS)),
            "margin_in": Dial("margin_in", "Margin for known pictures", INSIDE, tuple(number(m, 1) for m in INSIDE), 4),
            "margin_out": Dial("margin_out", "Margin for outliers", OUTSIDE, tuple(number(m) for m in OUTSIDE), 35),
        },
        views={
            "networks": Histogram(
                "Energies of test pictures",
                "energy E: higher = more out-of-distribution. Each curve is scaled to its own peak.",
                over("network", values=[found["ends"] for found in after]),
                [
                    Set(
                        "new shapes, never trained on", "ood", over("network", values=[found["new"] for found in after])
                    ),
                    Set(
                        "look-alikes, as trained on", "aux", over("network", values=[found["alike"] for found in after])
                    ),
                    Set("known shapes", "id", over("network", values=[found["known"] for found in after])),
                ],
                [Mark("keeps 95 % of known", over("network", values=[found["line"] for found in after]), "right")],
                over("network", "picture", values=[found["pictures"] for found in after]),
            ),
            "margins": Histogram(
                "Energies before fine-tuning",
                "energy E. Known shapes right of their margin are pulled left, look-alikes left of theirs right.",
                over(values=ends),
                [Set("look-alikes", "aux", over(values=high)), Set("known shapes", "id", over(values=low))],
                [
                    Mark("\N{BLACK LEFT-POINTING SMALL TRIANGLE} known", over("margin_in", values=INSIDE)),
                    Mark("look-alikes \N{BLACK RIGHT-POINTING SMALL TRIANGLE}", over("margin_out", values=OUTSIDE)),
                ],
                over("picture", values=energies),
            ),
        },
        facts={
            "near": Fact("AUROC, new shapes", over("network", values=[found["near"] for found in after]), better="up"),
            "far": Fact("AUROC, textures", over("network", values=[found["far"] for found in after]), better="up"),
            "fpr95": Fact(
                "FPR95, new shapes passed", over("network", values=[found["fpr95"] for found in after]), better="down"
            ),
            "accuracy": Fact(
                "accuracy, known shapes", over("network", values=[found["accuracy"] for found in after]), better="up"
            ),
            "pulled_in": Fact("of known shapes pulled", over("margin_in", values=pulled_in)),
            "pulled_out": Fact("of look-alikes pulled", over("margin_out", values=pulled_out)),
        },
        numbers={
            "inside": over("picture", "margin_in", values=[[_inside(float(e), m) for m in INSIDE] for e in energies]),
            "outside": over(
                "picture", "margin_out", values=[[_outside(float(e), m) for m in OUTSIDE] for e in energies]
            ),
            "uniform": over("picture", values=[_uniform(row) for row in before.outputs.logits.double()]),
        },
        pictures=cast.cards,
    )


def _pulled(inside: float, outside: float, known: Outputs, alike: Outputs) -> dict[str, float]:
    objective = Energy(margin_in=inside, margin_out=outside).fit()
    return {name: float(share) for name, share in objective.activity(known, alike).items()}


def _network(cast: Cast, role: str) -> dict[str, object]:
    actor = cast.actor(role)
    energies = {name: free_energy(bank.outputs.logits.double()) for name, bank in actor.reference.items()}
    ends, (known, new, alike) = heights([energies[name].numpy() for name in (KNOWN, NEAR, ALIKE)])
    near, far = measure(energies[KNOWN], energies[NEAR]), measure(energies[KNOWN], energies[FAR])
    bank = actor.reference[KNOWN]
    return {
        "ends": ends,
        "known": known,
        "new": new,
        "alike": alike,
        "line": near.threshold,
        "near": near.auroc,
        "fpr95": near.fpr95,
        "far": far.auroc,
        "accuracy": accuracy(bank.outputs.logits, bank.labels),
        "pictures": free_energy(actor.outputs.logits.double()).tolist(),
    }


def _inside(energy: float, margin: float) -> str:
    return f"as a known picture: max(0, {_minus(energy, margin)})^{{2}} = {number(max(0.0, energy - margin) ** 2)}"


def _outside(energy: float, margin: float) -> str:
    return f"as an outlier: max(0, {_minus(margin, energy)})^{{2}} = {number(max(0.0, margin - energy) ** 2)}"


def _minus(first: float, second: float) -> str:
    return f"{number(first)} \N{MINUS SIGN} ({number(second)})"


def _uniform(logits: Tensor) -> str:
    spread, mean = float(logits.logsumexp(0)), float(logits.mean())
    return f"as an outlier: {FLAT} = {number(spread)} \N{MINUS SIGN} ({number(mean)}) = {number(spread - mean)}"
