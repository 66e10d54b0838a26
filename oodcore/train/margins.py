"""Energy margins for networks whose energies the papers do not cover."""

from typing import NamedTuple

import numpy as np

from oodcore.errors import ScoreError
from oodcore.metrics.inputs import Array, as_scores

__all__ = ["PUBLISHED_GAP", "Suggestion", "suggest"]

PUBLISHED_GAP = 18.0  # between -23 and -5


class Suggestion(NamedTuple):
    """Margins, in the unit of energies."""

    margin_in: float
    margin_out: float

    @property
    def gap(self) -> float:
        """Their distance, on which balanced energy's alpha lives."""
        return self.margin_out - self.margin_in

    def alpha(self, published: float, gap: float = PUBLISHED_GAP) -> float:
        """Balanced energy's alpha on the scale of these margins, of one that was published for margins `gap` apart.

        Published are 10 for CIFAR-10 and 100 for CIFAR-100, as many as there are classes.
        """
        return published * self.gap / gap


def suggest(id_energies: Array, ood_energies: Array, *, inside: float = 25.0, outside: float = 75.0) -> Suggestion:
    """Percentiles of the energies of a network before fine-tuning (this project's rule, not a paper's).

    Args:
        id_energies: Of in-distribution images that the network was not trained on.
        ood_energies: Of auxiliary outliers, never of test OOD.
        inside: Percentile, 0..100, of `id_energies` that becomes margin_in.
        outside: Percentile of `ood_energies` that becomes margin_out.

    Raises:
        ScoreError: no finite energies, no percentiles, or margins the wrong way round: the network does not tell the
            two apart.
    """
    if not (0 <= inside <= 100 and 0 <= outside <= 100):
        raise ScoreError(f"Margins are percentiles from 0 to 100; got {inside:g} and {outside:g}.")
    low = float(np.percentile(as_scores(id_energies, "in-distribution energies"), inside))
    high = float(np.percentile(as_scores(ood_energies, "outliers' energies"), outside))
    if not low < high:
        raise ScoreError(
            f"Margins would be the wrong way round: percentile {inside:g} of in-distribution energies is {low:.4g}, "
            f"percentile {outside:g} of the outliers' is {high:.4g}. This network does not tell them apart yet. Train "
            "it longer, or give both margins yourself: margin_in and margin_out in [loss], which then stand."
        )
    return Suggestion(low, high)
