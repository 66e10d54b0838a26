"""Integrated gradients of the energy: against a case with a known answer, and against a loop."""

import pytest
import torch
from torch import Tensor, nn

from oodcore.attribution import energy_map, smooth
from oodcore.data.procedural import procedural
from oodcore.data.transforms import Preprocessing
from oodcore.errors import ScoreError
from oodcore.functional import free_energy
from oodcore.models import Network, build
from oodcore.records import Head, Outputs

PICTURES = procedural("shapes", "test", count=10)


class Linear(Network):
    """One class whose logit is a weighted sum of the pixels, so that the energy is linear and the answer exact."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__("linear", ["thing"], [], Preprocessing(size=4, mean=(0, 0, 0), std=(1, 1, 1)))
        self.weight = nn.Parameter(weight)

    @property
    def head(self) -> Head:
        return Head(self.weight.detach().flatten()[None], torch.zeros(1))

    def forward(self, images: Tensor, *, norms: bool = False) -> Outputs:
        features = images.flatten(1)
        return Outputs(features @ self.weight.flatten()[:, None], features)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(3)
    return build("resnet-8-w4", [str(label) for label in range(10)]).eval()


@pytest.mark.parametrize("steps", [1, 7])
def test_a_linear_energy_is_attributed_exactly(steps: int) -> None:
    weight = torch.randn(3, 4, 4)
    pixels = torch.randint(0, 256, (3, 4, 4), dtype=torch.uint8)
    found = energy_map(Linear(weight), pixels, steps=steps, batch_size=3)
    image = pixels.float() / 255
    expected = -(weight * (image - image.mean(dim=(1, 2), keepdim=True))).sum(0)
    torch.testing.assert_close(found.values, expected, rtol=1e-4, atol=1e-5)
    assert found.missing == pytest.approx(0, abs=1e-4)


def test_what_feeds_the_logit_is_blue_and_what_starves_it_orange() -> None:
    """Below 0 lowers the energy: more in-distribution."""
    weight = torch.zeros(3, 4, 4)
    weight[:, 0, 0], weight[:, 3, 3] = 1, -1
    pixels = torch.zeros(3, 4, 4, dtype=torch.uint8)
    pixels[:, 0, 0] = pixels[:, 3, 3] = 255
    found = energy_map(Linear(weight), pixels)
    assert found.values[0, 0] < 0 < found.values[3, 3]
    assert (found.lowered, found.raised) == pytest.approx((float(found.values[0, 0]), float(found.values[3, 3])))


def test_the_values_sum_to_the_change_of_energy(network: Network) -> None:
    """Completeness, better with more steps."""
    for index in range(3):
        found = energy_map(network, PICTURES[index].image, steps=256, batch_size=64)
        assert abs(found.missing) < 0.02 * max(abs(found.energy - found.start), 0.05)


def test_both_ends_are_energies_of_the_network(network: Network) -> None:
    pixels = PICTURES[1].image
    found = energy_map(network, pixels, steps=2)
    image = network.transform.normalise(pixels[None])
    plain = image.mean(dim=(2, 3), keepdim=True).expand_as(image)
    with torch.no_grad():
        assert found.energy == pytest.approx(float(free_energy(network(image).logits)), rel=1e-5)
        assert found.start == pytest.approx(float(free_energy(network(plain).logits)), rel=1e-5)


def test_it_equals_a_loop_over_the_steps(network: Network) -> None:
    pixels, steps = PICTURES[2].image, 5
    image = network.transform.normalise(pixels[None])
    plain = image.mean(dim=(2, 3), keepdim=True).expand_as(image)
    total = torch.zeros_like(image)
    for step in range(steps):
        point = (plain + (step + 0.5) / steps * (image - plain)).requires_grad_()
        free_energy(network(point).logits).sum().backward()
        total += point.grad
    network.zero_grad(set_to_none=True)
    expected = (total / steps * (image - plain)).sum(1)[0]
    torch.testing.assert_close(energy_map(network, pixels, steps=steps, batch_size=2).values, expected)


def test_nothing_stays_behind(network: Network) -> None:
    network.train()
    with torch.inference_mode():
        energy_map(network, PICTURES[0].image, steps=2)
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    network.eval()


def test_a_plain_picture_has_nothing_to_explain(network: Network) -> None:
    found = energy_map(network, torch.full((3, 32, 32), 77, dtype=torch.uint8), steps=4)
    assert found.values.abs().max() < 1e-4


def test_no_steps_is_an_error(network: Network) -> None:
    with pytest.raises(ScoreError, match="at least one step"):
        energy_map(network, PICTURES[0].image, steps=0)


def test_smoothing_keeps_the_sum_and_spreads_a_point() -> None:
    values = torch.zeros(24, 24)
    values[0, 3] = 2.0
    found = smooth(values)
    assert float(found.sum()) == pytest.approx(2, rel=1e-5)
    assert 0 < float(found[1, 3]) < float(found[0, 3]) < 2
    torch.testing.assert_close(smooth(values, 0.0), values)
