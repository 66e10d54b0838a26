"""Semantically coherent OOD sets: pictures of an OOD set that show an ID class count as ID (Yang et al., ICCV 2021)."""

import numpy as np
from jaxtyping import Float64

from oodcore.errors import ScoreError
from oodcore.metrics.inputs import Array, as_scores

__all__ = ["scood_merge"]


def scood_merge(
    id_scores: Array, scores: Array, sc_labels: Array, /
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " m"]]:
    """Scores to compare, `(id_scores, ood_scores)`, for use as `auroc(*scood_merge(...))`.

    Args:
        id_scores: Scores of the ID test set.
        scores: Scores of the pictures on the SC-OOD list.
        sc_labels: One per picture on the list: -1 is OOD, 0 or more is the ID class that it shows.

    Raises:
        ScoreError: list and labels differ in length, or the labels are not whole numbers.
    """
    inside, listed = as_scores(id_scores, "id_scores"), as_scores(scores, "scores")
    labels = as_scores(sc_labels, "sc_labels")
    if labels.shape != listed.shape or (labels != labels.round()).any():
        raise ScoreError(
            f"sc_labels must hold one whole number per listed picture; got {len(labels)} for {len(listed)} pictures."
        )
    return np.concatenate([inside, listed[labels >= 0]]), listed[labels < 0]
