"""Softmax probability at the temperature that calibrates it (Guo et al., ICML 2017, arXiv:1706.04599, sec. 4.2)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from oodcore.records import Evidence, Outputs
from oodcore.scorers import Fitted, Info, scorers
from oodcore.scorers._evidence import given, sampled
from oodcore.scorers._softmax import surprisal

RANGE = (1e-2, 1e2)


@scorers.register
@dataclass(frozen=True, slots=True)
class TemperatureScaling:
    r"""$-\log \max_j p_j(T)$ with $T$ from the bank by likelihood.

    The likelihood is concave in $1/T$, so the search cannot stray. $T$ stays within 0.01 and 100: without a bound a
    network that errs on no row of the bank would ask for 0, and one that guesses for infinity. A training set that the
    network knows by heart asks for less than unseen images would.
    """

    info: ClassVar[Info] = Info(
        "Temperature scaling", ("logits",), "Guo et al., ICML 2017, arXiv:1706.04599", fits=True
    )

    def fit(self, bank: Evidence | None = None, /) -> "TemperatureScalingFitted":
        parts = list(sampled(bank, len(given(bank).head.bias)))
        logits = torch.cat([part.outputs.logits for part in parts]).double()
        return TemperatureScalingFitted(best_temperature(logits, torch.cat([part.labels for part in parts])))


@dataclass(frozen=True, slots=True)
class TemperatureScalingFitted(Fitted):
    """The temperature found."""

    temperature: float

    def __call__(self, outputs: Outputs, /) -> Float[Tensor, " n"]:
        return surprisal(outputs.logits, self.temperature)


def best_temperature(logits: Float64[Tensor, "n k"], labels: Int[Tensor, " n"], /) -> float:
    r"""Where $\sum_i \log p_{y_i}(T)$ is largest within `RANGE`: Newton on its slope in $1/T$, bracketed."""
    low, high = 1 / RANGE[1], 1 / RANGE[0]
    beta, own = 1.0, logits.gather(1, labels[:, None]).mean()
    for _ in range(100):
        p = (beta * logits).softmax(dim=1)
        expected = (p * logits).sum(dim=1, keepdim=True)
        slope = float(expected.mean() - own)
        bend = float((p * (logits - expected).square()).sum(dim=1).mean())
        low, high = (beta, high) if slope < 0 else (low, beta)
        step = beta - slope / bend if bend > 0 else low
        new = step if low < step < high else (low * high) ** 0.5
        if abs(new - beta) <= 1e-12 * beta:
            break
        beta = new
    return 1 / beta
