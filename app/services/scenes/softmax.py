"""What softmax hides: one number added to every logit changes nothing that it says."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from app.services.scenes.cast import ALIKE, KNOWN, NEAR, Cast
from app.services.scenes.frames import Bars, Curve, Dial, Fact, Lines, Scene, over
from app.services.scenes.words import exponentials, number, signed
from oodcore.functional import free_energy

__all__ = ["scene"]

SHIFTS = tuple(step / 2 for step in range(-20, 21))
ASKED = (*(round(0.5 + 0.01 * step, 2) for step in range(50)), 0.995, 0.999)


def scene(cast: Cast) -> Scene:
    """Dials: `shift` is added to every logit, `asked` is the confidence below which an answer is refused."""
    actor = cast.actor("before")
    logits = actor.outputs.logits.double()
    raised = logits[:, None, :] + torch.tensor(SHIFTS, dtype=torch.float64)[:, None]
    shares, energies = raised.softmax(dim=-1), free_energy(raised)
    sure = {
        name: actor.reference[name].outputs.logits.double().softmax(dim=1).amax(dim=1) for name in (KNOWN, NEAR, ALIKE)
    }
    passing = {name: [float((part >= asked).double().mean()) for asked in ASKED] for name, part in sure.items()}
    at = ("picture", "shift")
    return Scene(
        dials={
            "shift": Dial("shift", "Added to every logit", SHIFTS, tuple(signed(value) for value in SHIFTS), 20),
            "asked": Dial("asked", "Confidence asked for", ASKED, tuple(f"{100 * value:g} %" for value in ASKED), 0),
        },
        views={
            "logits": Bars(
                "Logits",
                cast.classes,
                _floor(raised),
                _ceiling(raised),
                "number",
                over(*at, values=raised),
                colour="plain",
            ),
            "shares": Bars("Softmax shares", cast.classes, 0.0, 1.0, "percent", over(*at, values=shares)),
            "passing": Lines(
                "Share of pictures whose answer is accepted",
                "confidence asked for",
                x=[_along(asked) for asked in ASKED],
                ticks=[(_along(asked), f"{100 * asked:g} %") for asked in (0.5, 0.6, 0.7, 0.8, 0.9, 0.99)],
                low=0.0,
                high=1.0,
                curves=[
                    Curve("known shapes", "id", over(values=passing[KNOWN])),
                    Curve("new shapes", "ood", over(values=passing[NEAR])),
                    Curve("look-alikes of known shapes", "aux", over(values=passing[ALIKE])),
                ],
                cursor=over("asked", values=[_along(asked) for asked in ASKED]),
            ),
        },
        facts={
            "confidence": Fact("confidence: the largest share", over(*at, values=shares.amax(dim=-1))),
            "energy": Fact("energy E", over(*at, values=energies), "number"),
            "kept": Fact("known shapes accepted", over("asked", values=passing[KNOWN]), better="up"),
            "passed": Fact("new shapes accepted", over("asked", values=passing[NEAR]), better="down"),
            "alike": Fact("look-alikes accepted", over("asked", values=passing[ALIKE]), better="down"),
        },
        numbers={
            "share": over(*at, values=_lines(partial(_share, cast.classes), raised, shares)),
            "level": over(*at, values=_lines(_level, raised, energies)),
        },
        pictures=cast.cards,
    )


def _lines(write: Callable[[list[float], Any], str], logits: torch.Tensor, results: torch.Tensor) -> list[list[str]]:
    """One line per picture and shift."""
    pairs = zip(logits.tolist(), results.tolist(), strict=True)
    return [[write(row, result) for row, result in zip(*pair, strict=True)] for pair in pairs]


def _share(classes: tuple[str, ...], logits: list[float], shares: list[float]) -> str:
    best = max(range(len(shares)), key=shares.__getitem__)
    fraction = f"e^{{{number(logits[best], 1)}}} / ({exponentials(logits)})"
    return f"p_{{{classes[best]}}} = {fraction} = {100 * shares[best]:.1f} %"


def _level(logits: list[float], energy: float) -> str:
    return f"E = \N{MINUS SIGN}log({exponentials(logits)}) = {number(energy)}"


def _along(asked: float) -> float:
    return (asked - ASKED[0]) / (1 - ASKED[0])


def _floor(values: torch.Tensor) -> float:
    return float(values.min().floor())


def _ceiling(values: torch.Tensor) -> float:
    return float(values.max().ceil())
