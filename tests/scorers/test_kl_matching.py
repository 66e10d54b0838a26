import numpy as np
import pytest
import torch

from oodcore.records import Bank, Head, Outputs
from oodcore.scorers.kl_matching import KLMatching


def bank_of(logits: torch.Tensor) -> Bank:
    k = logits.shape[1]
    labels = torch.zeros(len(logits), dtype=torch.int64)
    return Bank(Outputs(logits, logits), labels, Head(torch.eye(k).to(logits), torch.zeros(k).to(logits)))


def by_hand(bank: np.ndarray, row: np.ndarray) -> float:
    """Loops and probabilities; shares nothing with the implementation."""

    def softmax(z: np.ndarray) -> np.ndarray:
        return np.exp(z) / np.exp(z).sum()

    posteriors, p = [softmax(z) for z in bank], softmax(row)
    typical = [
        np.mean([q for q in posteriors if q.argmax() == label], axis=0)
        for label in range(bank.shape[1])
        if any(q.argmax() == label for q in posteriors)
    ]
    return min(float((p * np.log(p / d)).sum()) for d in typical)


def test_divergence_from_the_nearest_mean_posterior() -> None:
    draw = torch.Generator().manual_seed(3)
    bank = 2 * torch.randn(30, 4, generator=draw, dtype=torch.float64)
    rows = 2 * torch.randn(6, 4, generator=draw, dtype=torch.float64)
    found = KLMatching().fit(bank_of(bank))(Outputs(rows, rows))
    assert found.tolist() == pytest.approx([by_hand(bank.numpy(), row) for row in rows.numpy()], rel=1e-9)


def test_equals_pytorch_ood(peers, fine_world) -> None:
    peer = peers.KLMatching(None).fit_logits(fine_world.bank.outputs.logits)
    ours = KLMatching().fit(fine_world.bank)(fine_world.outliers)
    torch.testing.assert_close(ours, peer.predict_logits(fine_world.outliers.logits))


def test_groups_by_prediction_not_by_label(fine_world) -> None:
    relabelled = Bank(fine_world.bank.outputs, fine_world.bank.labels.roll(1), fine_world.bank.head)
    first, second = KLMatching().fit(fine_world.bank), KLMatching().fit(relabelled)
    assert torch.equal(first(fine_world.outliers), second(fine_world.outliers))


def test_a_class_that_is_never_predicted_is_no_template() -> None:
    bank = torch.tensor([[5.0, 0.0, 0.0], [0.0, 5.0, 0.0]], dtype=torch.float64)
    score = KLMatching().fit(bank_of(bank))
    assert score.log_typical.shape == (2, 3)
    row = torch.tensor([[0.0, 0.0, 9.0]], dtype=torch.float64)
    assert score(Outputs(row, row)).item() == pytest.approx(by_hand(bank.numpy(), row[0].numpy()))


def test_templates_without_a_trace_of_a_class_stay_finite() -> None:
    bank = torch.tensor([[2000.0, 0.0], [0.0, 2000.0]], dtype=torch.float64)
    row = torch.tensor([[0.0, 0.0]], dtype=torch.float64)
    assert KLMatching().fit(bank_of(bank))(Outputs(row, row)).isfinite().all()
