"""Energy margins for networks whose energies the papers do not cover."""

from typing import NamedTuple

import numpy as np

from oodcore.errors import ScoreError
from oodcore.metrics.inputs import Array, as_scores

__all__ = ["Suggestion", "suggest"]


class Suggestion(NamedTuple):
    """Margins, in the unit of energies."""

    margin_in: float
    margin_out: float

    @property
    def gap(self) -> float:
        """Their distance, on which balanced energy's alpha lives."""
        return self.margin_out - self.margin_in


def suggest(id_energies: Array, ood_energies: Array, *, inside: float = 25.0, outside: float = 75.0) -> Suggestion:
    """Percentiles of the energies of a network before fine-tuning (this project's rule, not a paper's).

    Args:
        id_energies: Of in-distribution images that the network was not trained on.
        ood_energies: Of auxiliary outliers, never of test OOD.
        inside: Percentile, 0..100, of `id_energies` that becomes margin_in.
        outside: Percentile of `ood_energies` that becomes margin_out.

    Raises:
        ScoreError: no finite energies, or margins the wrong way round: the network does not tell the two apart.
    """
    low = float(np.percentile(as_scores(id_energies, "in-distribution energies"), inside))
    high = float(np.percentile(as_scores(ood_energies, "outliers' energies"), outside))
    if not low < high:
        raise ScoreError(
            f"The {inside:g}th percentile of in-distribution energies, {low:.4g}, is not below the {outside:g}th of "
            f"the outliers', {high:.4g}: this network cannot tell them apart yet. Train it longer, or give margins by hand."
        )
    return Suggestion(low, high)
