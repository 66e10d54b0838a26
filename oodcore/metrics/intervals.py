"""How far a metric would move with other samples of the same kind: DeLong for AUROC, bootstrap for everything.

Both speak of other test images, not of other training seeds. What 95 % intervals really held, in simulations of normal
scores with 100 and 300 samples on each side and AUROC 0.76 and 0.92: DeLong 94 to 97 % (93 % at AUROC 0.98), bootstrap
of AUPR and FPR 88 to 96 %, of the detection error 87 to 92 % (79 to 84 % without its bias correction).
"""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from oodcore.errors import ScoreError
from oodcore.metrics.inputs import Array
from oodcore.metrics.levels import Levels, count_levels, curve
from oodcore.metrics.ranking import Interpolation, Rule, area
from oodcore.metrics.summary import measure

__all__ = ["Interval", "auroc_interval", "ood_intervals"]


class Interval(NamedTuple):
    """A range that would hold the population's value in `level` of all repetitions."""

    low: float
    high: float
    level: float
    method: str


def auroc_interval(id_scores: Array, ood_scores: Array, /, level: float = 0.95) -> Interval:
    r"""DeLong's variance (Biometrics 1988, by counting ties as ½), symmetric on the logit scale, so inside (0, 1).

    Where that variance is 0 (separated or constant scores) or unknown (one sample on a side) DeLong would claim
    certainty; the interval is then Hoeffding's for U-statistics, all $\theta$ with
    $KL(\hat\theta\|\theta) \le \frac1m \log\frac{2}{1-level}$, $m = \min(n_{id}, n_{ood})$: valid for every sample.

    Raises:
        ScoreError: see `auroc`; or a level outside (0, 1).
    """
    _check(level)
    return _delong(count_levels(id_scores, ood_scores), level)


def ood_intervals(
    id_scores: Array,
    ood_scores: Array,
    /,
    *,
    recall: float = 0.95,
    rule: Rule = "first",
    interpolation: Interpolation = "step",
    level: float = 0.95,
    draws: int = 400,
    seed: int = 0,
) -> dict[str, Interval]:
    """One interval per value of `ood_metrics`: DeLong for `auroc`, percentiles of a stratified bootstrap for the rest.

    ID and OOD are resampled each on its own, so every draw keeps the OOD share. The detection error is a minimum and
    so lies lower in resamples than in the sample: its percentiles are bias-corrected (Efron, JASA 1987). Bootstrap
    intervals have width 0 where the two sides do not overlap, and are coarse below about 100 samples on a side.

    Args:
        id_scores: Shape (n,).
        ood_scores: Shape (m,).
        recall: See `ood_metrics`.
        rule: See `ood_metrics`.
        interpolation: See `ood_metrics`.
        level: Nominal coverage, in (0, 1).
        draws: Number of resamples; 400 leave a Monte Carlo error of about a tenth of the width.
        seed: The same seed gives the same intervals.

    Raises:
        ScoreError: see `auroc`; or a level outside (0, 1), or no draws.
    """
    _check(level)
    if draws < 1:
        raise ScoreError(f"draws must be at least 1; got {draws}.")
    levels, rng = count_levels(id_scores, ood_scores), np.random.default_rng(seed)
    samples = [measure(_resample(levels, rng), recall, rule, interpolation) for _ in range(draws)]
    estimates = measure(levels, recall, rule, interpolation)
    found = {}
    for name, estimate in estimates.items():
        values = np.array([sample[name] for sample in samples])
        shift = _bias(values, estimate) if name == "detection_error" else 0.0
        low, high = np.quantile(values, [_normal_share(2 * shift + end) for end in _ends(level)])
        found[name] = Interval(float(low), float(high), level, f"stratified bootstrap, {draws} draws")
    return {**found, "auroc": _delong(levels, level)}


def _check(level: float) -> None:
    if not 0 < level < 1:
        raise ScoreError(f"level must lie between 0 and 1, as 0.95; got {level}.")


def _bias(values: Float64[np.ndarray, " draws"], estimate: float) -> float:
    """How far the estimate lies from the median of its resamples, as a standard normal quantile."""
    share = ((values < estimate).mean() + (values <= estimate).mean()) / 2
    half = 0.5 / len(values)
    return NormalDist().inv_cdf(float(share.clip(half, 1 - half)))


def _ends(level: float) -> tuple[float, float]:
    high = NormalDist().inv_cdf((1 + level) / 2)
    return -high, high


def _normal_share(quantile: float) -> float:
    return NormalDist().cdf(quantile)


def _resample(levels: Levels, rng: np.random.Generator) -> Levels:
    ood, inside = (_redraw(counts, rng) for counts in levels)
    kept = ood + inside > 0
    return Levels(ood[kept], inside[kept])


def _redraw(counts: Int64[np.ndarray, " levels"], rng: np.random.Generator) -> Int64[np.ndarray, " levels"]:
    samples = np.repeat(np.arange(len(counts)), counts)
    return np.bincount(samples[rng.integers(len(samples), size=len(samples))], minlength=len(counts))


def _delong(levels: Levels, level: float) -> Interval:
    value, spread = area(curve(levels, "ood")), math.sqrt(_variance(levels))
    pairs = min(int(levels.ood.sum()), int(levels.id.sum()))
    if spread == 0 or pairs == 1:
        return _hoeffding(value, pairs, level)
    centre = math.log(value / (1 - value))
    low, high = (_expit(centre + end * spread / (value * (1 - value))) for end in _ends(level))
    return Interval(low, high, level, "DeLong, logit scale")


def _variance(levels: Levels) -> float:
    ood, inside = curve(levels, "ood")
    below = 1 - (inside - levels.id / 2) / inside[-1]  # share of ID that each level's OOD sample outranks
    above = (ood - levels.ood / 2) / ood[-1]
    return _mean_variance(below, levels.ood) + _mean_variance(above, levels.id)


def _mean_variance(values: Float64[np.ndarray, " levels"], counts: Int64[np.ndarray, " levels"]) -> float:
    n = int(counts.sum())
    if n < 2:
        return 0.0
    centred = values - (values @ counts) / n
    return float(centred**2 @ counts) / (n - 1) / n


def _hoeffding(value: float, pairs: int, level: float) -> Interval:
    allowed = math.log(2 / (1 - level)) / pairs
    low, high = (_furthest(value, end, allowed) for end in (0.0, 1.0))
    return Interval(low, high, level, "Hoeffding, exact for every sample size")


def _furthest(value: float, end: float, allowed: float) -> float:
    """Bisect between the estimate and `end` for the point whose divergence is still allowed."""
    near, far = value, end
    for _ in range(60):
        middle = (near + far) / 2
        near, far = (middle, far) if _divergence(value, middle) <= allowed else (near, middle)
    return near


def _divergence(p: float, q: float) -> float:
    """Of one coin from another, in nats."""
    terms = [a * math.log(a / b) if b > 0 else math.inf for a, b in ((p, q), (1 - p, 1 - q)) if a > 0]
    return sum(terms)


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0
