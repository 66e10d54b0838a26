import pytest
import torch
from torch import Tensor, nn

from oodcore.errors import ScoreError
from oodcore.records import Outputs
from oodcore.scorers.odin import ODIN

STD = torch.tensor([0.2, 0.25, 0.5], dtype=torch.float64)


class Net(nn.Module):
    """The smallest network with everything that scorers read."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Conv2d(3, 6, 3, padding=1)
        self.fc = nn.Linear(6, 4)
        self.double().eval()

    def forward(self, images: Tensor) -> Outputs:
        maps = self.block(images).relu()
        features = maps.mean((2, 3))
        return Outputs(self.fc(features), features, maps.flatten(2).norm(dim=2).mean(1, keepdim=True))


def passes(score, net: Net, images: Tensor) -> tuple[Tensor, Tensor]:
    """Both forward passes by hand: perturbed images, and their scores."""
    watched = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(score.objective(net(watched)).sum(), watched)
    perturbed = score.perturb(images, gradient, STD)
    with torch.no_grad():
        return perturbed, score(net(perturbed))


@pytest.fixture
def net() -> Net:
    torch.manual_seed(4)
    return Net()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("temperature", [1.0, 1000.0])
def test_equals_pytorch_ood(peers, net: Net, images: Tensor, temperature: float, per_channel: bool) -> None:
    peer = peers.ODIN(
        lambda x: net(x).logits, eps=0.01, temperature=temperature, norm_std=STD.tolist() if per_channel else None
    )
    _, scores = passes(ODIN(temperature, 0.01, per_channel).fit(), net, images)
    torch.testing.assert_close(-(-scores).exp(), peer.predict(images), rtol=1e-9, atol=0)


def test_the_step_raises_the_largest_probability(net: Net, images: Tensor) -> None:
    score = ODIN(temperature=1.0).fit()
    _, after = passes(score, net, images)
    assert (after < score(net(images))).all()


def test_the_step_is_in_pixels(net: Net, images: Tensor) -> None:
    perturbed, _ = passes(ODIN(epsilon=0.01).fit(), net, images)
    in_pixels = (perturbed - images) * STD[:, None, None]
    torch.testing.assert_close(in_pixels.abs(), torch.full_like(in_pixels, 0.01), rtol=1e-6, atol=1e-12)


def test_without_a_step_it_is_msp_at_that_temperature(net: Net, images: Tensor) -> None:
    perturbed, scores = passes(ODIN(temperature=10.0, epsilon=0.0).fit(), net, images)
    assert torch.equal(perturbed, images)
    torch.testing.assert_close(scores, -(net(images).logits / 10).log_softmax(1).amax(1))


def test_the_objective_is_differentiable(net: Net) -> None:
    score = ODIN(temperature=2.0).fit()
    images = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda images: score.objective(net(images)), (images,))


@pytest.mark.parametrize("numbers", [{"temperature": 0.0}, {"epsilon": -1.0}])
def test_impossible_numbers_are_refused(numbers: dict[str, float]) -> None:
    with pytest.raises(ScoreError, match="temperature > 0"):
        ODIN(**numbers)
