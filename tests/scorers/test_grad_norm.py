import pytest
import torch
from torch import nn

from oodcore.records import Outputs
from oodcore.scorers.grad_norm import GradNorm


def test_is_the_norm_of_the_last_layers_gradient(fine_world) -> None:
    rows, head = fine_world.outliers.take(slice(0, 5)), fine_world.bank.head
    for features, ours in zip(rows.features, GradNorm().fit()(rows), strict=True):
        weight = head.weight.clone().requires_grad_()
        log_p = (weight @ features + head.bias).log_softmax(0)
        (gradient,) = torch.autograd.grad(-log_p.mean(), weight)
        assert ours.item() == pytest.approx(-gradient.abs().sum().item())


def test_equals_pytorch_ood(peers, fine_world) -> None:
    head = fine_world.bank.head
    layer = nn.Linear(16, 4).double()
    layer.load_state_dict({"weight": head.weight, "bias": head.bias})
    peer = peers.GradNorm(layer, param_filter=lambda name: name == "weight").to("cpu")
    expected = peer.predict(fine_world.outliers.features)
    torch.testing.assert_close(GradNorm().fit()(fine_world.outliers), expected)


def test_by_hand() -> None:
    rows = Outputs(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, -2.0]]))
    assert GradNorm().fit()(rows).item() == 0
    sure = Outputs(torch.tensor([[90.0, 0.0]]), torch.tensor([[1.0, -2.0]]))
    assert GradNorm().fit()(sure).item() == pytest.approx(-3.0)
