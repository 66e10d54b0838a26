import numpy as np
import pytest
import torch

from oodcore.errors import ScoreError
from oodcore.metrics import aupr, auroc, fpr_at_recall, scood_merge

ID = np.array([-9.0, -8, -7, -6])
LISTED, LABELS = np.array([-8.5, -3, -2, -6.5, -1]), np.array([3, -1, -1, -1, 0])


def test_pictures_of_an_id_class_count_as_id() -> None:
    inside, ood = scood_merge(ID, LISTED, LABELS)
    assert inside.tolist() == [-9, -8, -7, -6, -8.5, -1]
    assert ood.tolist() == [-3, -2, -6.5]
    assert auroc(inside, ood) == pytest.approx(0.777778, abs=1e-6)
    assert aupr(inside, ood) == pytest.approx(0.588889, abs=1e-6)
    assert fpr_at_recall(inside, ood) == pytest.approx(0.333333, abs=1e-6)


def test_ignoring_the_labels_gives_another_value() -> None:
    assert auroc(ID, LISTED) == pytest.approx(0.8)


def test_tensors_are_welcome() -> None:
    merged = scood_merge(torch.tensor(ID), torch.tensor(LISTED), torch.tensor(LABELS))
    assert auroc(*merged) == pytest.approx(0.777778, abs=1e-6)


@pytest.mark.parametrize("labels", [LABELS[:4], LABELS + 0.5])
def test_labels_that_do_not_belong_to_the_list_are_refused(labels: np.ndarray) -> None:
    with pytest.raises(ScoreError, match="one whole number per listed picture"):
        scood_merge(ID, LISTED, labels)
