import pytest
import torch
from torch import Tensor, nn

from oodcore.errors import ScoreError
from oodcore.records import Bank, Head, Outputs
from oodcore.scorers import GradientFitted
from oodcore.scorers.selected_norm import SelectedNorm, resized


def test_by_hand() -> None:
    head = Head(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([0.0, 1.0]))
    rows = Outputs(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), torch.tensor([[10.0, 7.0]]))
    bank = Bank(rows, torch.tensor([0]), head)
    assert SelectedNorm(block=0, then="max_logit").fit(bank)(rows).item() == pytest.approx(-17.0)  # 0.8 * 10 * 2 + 1
    assert SelectedNorm(block=1, then="max_logit").fit(bank)(rows).item() == pytest.approx(-12.2)


def test_keeps_the_direction_and_takes_the_norm(world) -> None:
    features = resized(world.outliers, 1)
    torch.testing.assert_close(features.norm(dim=1), world.outliers.norms[:, 1].double())
    cosine = nn.functional.cosine_similarity(features, world.outliers.features.double())
    torch.testing.assert_close(cosine, torch.ones_like(cosine))


def test_the_length_of_the_features_does_not_matter(world) -> None:
    score = SelectedNorm().fit(world.bank)
    longer = world.outliers._replace(features=7 * world.outliers.features)
    torch.testing.assert_close(score(longer), score(world.outliers), rtol=1e-6, atol=1e-6)


def test_missing_norms_and_blocks_are_said(world) -> None:
    with pytest.raises(ScoreError, match="norms=True"):
        SelectedNorm().fit(world.bank)(world.inliers._replace(norms=None))
    with pytest.raises(ScoreError, match="no block 5"):
        SelectedNorm(block=5).fit(world.bank)(world.inliers)


def test_before_odin_the_gradient_passes_through_features_and_norms(world) -> None:
    score = SelectedNorm(then="odin").fit(world.bank)
    assert isinstance(score, GradientFitted)
    rows = world.outliers.take(slice(0, 3))

    def objective(features: Tensor, norms: Tensor) -> Tensor:
        return score.objective(Outputs(rows.logits, features, norms))

    inputs = (rows.features.double().requires_grad_(), rows.norms.double().requires_grad_())
    assert torch.autograd.gradcheck(objective, inputs)
    from_features, from_norms = torch.autograd.grad(objective(*inputs).sum(), inputs)
    assert from_features.any()
    assert from_norms[:, 1].all()
    assert not from_norms[:, [0, 2]].any()


def test_before_odin_it_scores_and_steps_as_odin_does(world) -> None:
    from oodcore.scorers.odin import ODIN

    score, odin = SelectedNorm(then="odin").fit(world.bank), ODIN().fit()
    torch.testing.assert_close(score(world.outliers), odin(score.reshaped(world.outliers)))
    images, std = torch.zeros(1, 3, 2, 2), torch.tensor([0.1, 0.2, 0.4])
    gradient = torch.ones(1, 3, 2, 2)
    assert torch.equal(score.perturb(images, gradient, std), odin.perturb(images, gradient, std))


def test_before_odin_it_moves_between_devices(world) -> None:
    score = SelectedNorm(then="odin").fit(world.bank)
    assert isinstance(score.to("cpu"), GradientFitted)
