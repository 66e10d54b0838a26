"""Softmax without saturation: what stays of a posterior that rounds to 1.

Everything rests on the log-odds against the top class, `l`: its probability is `1 / (1 + e^l)`, and `l` itself keeps
its digits however sure the network is. Float64 throughout.
"""

from jaxtyping import Float64, Num
from torch import Tensor
from torch.nn.functional import softplus

from oodcore.errors import ScoreError


def require_temperature(temperature: float) -> None:
    """Below 0 it would turn the score around, at 0 nothing is left of it.

    Raises:
        ScoreError: it is not above 0 and finite.
    """
    if not 0 < temperature < float("inf"):
        raise ScoreError(f"temperature must be above 0 and finite; got {temperature}.")


def odds_against_top(logits: Num[Tensor, "n k"], /, temperature: float = 1.0) -> Float64[Tensor, " n"]:
    r"""$\log \sum_{j \neq \hat y} e^{(f_j - f_{\hat y})/T}$, at most $\log(k-1)$."""
    gaps, top = _gaps(logits, temperature)
    return gaps.scatter(-1, top, -float("inf")).logsumexp(dim=-1)


def surprisal(logits: Num[Tensor, "n k"], /, temperature: float = 1.0) -> Float64[Tensor, " n"]:
    r"""$-\log \max_j p_j$ in nats, from 0 (sure) to $\log k$ (uniform)."""
    return softplus(odds_against_top(logits, temperature))


def log_softmax(logits: Num[Tensor, "n k"], /, temperature: float = 1.0) -> Float64[Tensor, "n k"]:
    r"""$\log p_j$, the top class included to full relative precision."""
    gaps, _ = _gaps(logits, temperature)
    return gaps - surprisal(logits, temperature)[:, None]


def _gaps(logits: Tensor, temperature: float) -> tuple[Float64[Tensor, "n k"], Tensor]:
    top = logits.argmax(dim=-1, keepdim=True)
    scaled = logits.double() / temperature
    return scaled - scaled.gather(-1, top), top
