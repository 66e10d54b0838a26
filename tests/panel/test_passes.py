"""Images in: as few passes as possible, and the network as it was."""

import pytest
import torch
from torch import nn

from oodcore.errors import ScoreError
from oodcore.panel import Panel
from oodcore.records import Outputs
from oodcore.scorers import scorers

FREE = ["energy", "msp", "knn", "mahalanobis", "react", "feature_norm"]


def test_without_gradient_scorers_one_pass_in_inference_mode(setup, outputs: Outputs) -> None:
    panel = Panel(FREE).fit(setup.bank)
    found = panel.score(setup.net, setup.images)
    assert setup.net.passes == ["inference"]
    for name, scores in panel(outputs).items():
        torch.testing.assert_close(found[name], scores, rtol=1e-5, atol=1e-5)


def test_a_gradient_scorer_adds_one_pass_and_changes_no_other_score(setup, outputs: Outputs) -> None:
    panel = Panel([*FREE[:2], "odin", *FREE[2:]]).fit(setup.bank)
    found = panel.score(setup.net, setup.images)
    assert setup.net.passes == ["graph", "inference"]
    assert tuple(found) == panel.names
    for name, scores in panel.subset(FREE)(outputs).items():
        torch.testing.assert_close(found[name], scores, rtol=1e-5, atol=1e-5)


def test_each_gradient_scorer_adds_one(setup) -> None:
    panel = Panel(["odin", "selected_norm+odin", "energy"]).fit(setup.bank)
    both = panel.score(setup.net, setup.images)
    assert setup.net.passes == ["graph", "inference", "inference"]
    for name in ("odin", "selected_norm+odin"):
        alone = panel.subset([name]).score(setup.net, setup.images)
        torch.testing.assert_close(both[name], alone[name])


def test_odin_equals_ten_lines_of_plain_pytorch(setup) -> None:
    images = setup.images.clone().requires_grad_()
    logits = setup.net(images).logits.double()
    logits.div(1000).log_softmax(1).amax(1).sum().backward()
    std = torch.tensor([0.2, 0.25, 0.5])[:, None, None]
    moved = setup.images + 0.0014 * images.grad.sign() / std
    with torch.no_grad():
        expected = -setup.net(moved).logits.double().div(1000).log_softmax(1).amax(1)
    setup.net.zero_grad()
    found = Panel(["odin"]).fit().score(setup.net, setup.images)["odin"]
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("names", [["energy"], ["energy", "odin"]])
def test_the_network_is_given_back_as_it_was(setup, names: list[str]) -> None:
    setup.net.train()
    setup.net.first.eval()
    before = {name: value.clone() for name, value in setup.net.state_dict().items()}
    Panel(names).fit(setup.bank).score(setup.net, setup.images)
    assert setup.net.training
    assert setup.net.second.training
    assert not any(module.training for module in setup.net.first.modules())
    assert all(parameter.grad is None for parameter in setup.net.parameters())
    assert all(parameter.requires_grad for parameter in setup.net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in setup.net.state_dict().items())
    assert not setup.images.requires_grad


@pytest.mark.parametrize("names", [["energy", "knn"], ["energy", "odin"]])
def test_batches_give_what_one_pass_gives(setup, names: list[str]) -> None:
    panel = Panel(names).fit(setup.bank)
    whole, pieces = (panel.score(setup.net, setup.images, batch_size=size) for size in (30, 7))
    for name in names:
        torch.testing.assert_close(pieces[name], whole[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_gradient_scorers_work_where_gradients_are_switched_off(setup, mode: type, same) -> None:
    panel = Panel(["odin", "energy"]).fit(setup.bank)
    expected = panel.score(setup.net, setup.images)
    with mode():
        same(panel.score(setup.net, setup.images), expected)


def test_norms_are_asked_for_only_where_they_are_read(setup) -> None:
    class Plain(nn.Module):
        def __init__(self, net: nn.Module) -> None:
            super().__init__()
            self.net = net

        def forward(self, images: torch.Tensor) -> Outputs:
            return self.net(images)

    plain = Plain(setup.net).eval()
    assert Panel(["energy"]).fit(setup.bank).score(plain, setup.images)["energy"].shape == (30,)
    assert Panel(["feature_norm"]).fit(setup.bank).reads_norms
    assert Panel(["selected_norm+odin"]).fit(setup.bank).reads_norms
    assert not Panel(["react+msp", "odin"]).fit(setup.bank).reads_norms


def test_pixels_are_normalised_by_the_networks_own_preprocessing(setup, same) -> None:
    pixels = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    panel = Panel(["energy"]).fit(setup.bank)
    same(panel.score(setup.net, pixels), panel.score(setup.net, setup.net.transform.normalise(pixels)))
    setup.net.transform = None
    with pytest.raises(ScoreError, match="Pass normalised images"):
        panel.score(setup.net, pixels)


def test_odin_needs_to_know_the_normalisation(setup) -> None:
    setup.net.transform = None
    with pytest.raises(ScoreError, match=r"transform\.std"):
        Panel(["odin"]).fit().score(setup.net, setup.images)


def test_a_single_image_without_a_batch_and_no_image_are_told(setup) -> None:
    panel = Panel(["energy"]).fit(setup.bank)
    with pytest.raises(ScoreError, match="at least one; got"):
        panel.score(setup.net, setup.images[:0])


def test_broken_weights_are_told_with_the_scorers_name(setup) -> None:
    with torch.no_grad():
        setup.net.fc.bias[1] = torch.nan
    with pytest.raises(ScoreError, match="'energy' gives no finite score"):
        Panel(["energy"]).fit(setup.bank).score(setup.net, setup.images)


@pytest.mark.gpu
def test_images_are_scored_where_the_network_is(setup) -> None:
    names = [name for name in scorers.names() if "embeddings" not in scorers[name].info.needs]
    panel = Panel(names).fit(setup.bank)
    expected = panel.score(setup.net, setup.images)
    found = panel.score(setup.net.to("cuda"), setup.images)
    for name in names:
        assert found[name].device.type == "cuda"
        torch.testing.assert_close(found[name].cpu(), expected[name], rtol=1e-2, atol=1e-2)
