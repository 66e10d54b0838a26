"""Public names take their arguments by the names under which they are described."""

import torch

from oodcore.data import jigsaw, long_tail_counts
from oodcore.functional import cluster_focal, feature_norm, free_energy, jsd_to_uniform
from oodcore.metrics import aupr, auroc, fpr_at_recall, ood_metrics
from oodcore.priors import outlier_counts, temper

PAIR = {"id_scores": [1.0, 2.0], "ood_scores": [2.0, 3.0]}


def test_arithmetic() -> None:
    rows, labels = torch.randn(4, 3), torch.tensor([0, 1, 1, 0])
    assert torch.equal(free_energy(logits=rows, temperature=2.0), free_energy(rows, 2.0))
    assert torch.equal(jsd_to_uniform(logits=rows, temperature=1.0), jsd_to_uniform(rows))
    assert feature_norm(maps=torch.ones(2, 3, 4, 4)).tolist() == [4.0, 4.0]
    assert cluster_focal(embeddings=rows, labels=labels, centers=rows[:2], reading="C").ndim == 0


def test_priors_and_data() -> None:
    assert temper(counts=outlier_counts(torch.eye(3)), gamma=0.5).tolist() == [1 / 3] * 3
    assert long_tail_counts(n_max=100, k=2, rho=0.1, kind="exp") == [100, 10]
    image = torch.rand(1, 3, 9, 9)
    assert torch.equal(jigsaw(images=image, permutation=torch.arange(9)), image)


def test_metrics() -> None:
    assert auroc(**PAIR) == ood_metrics(**PAIR)["auroc"] == 0.875
    assert aupr(**PAIR, positive="id") == ood_metrics(**PAIR)["aupr_id_positive"]
    assert fpr_at_recall(**PAIR, recall=0.95, positive="ood", rule="first") == 0.5
