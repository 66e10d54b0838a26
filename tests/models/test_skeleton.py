"""Shapes without weights."""

import subprocess
import sys

import torch

from oodcore.models import build
from oodcore.models.skeleton import skeleton


def test_keys_shapes_and_types_are_those_of_the_network() -> None:
    bare, real = skeleton(lambda: build("wrn-10-2", 7)), build("wrn-10-2", 7).state_dict()
    assert [(key, value.shape, value.dtype) for key, value in bare.items()] == [
        (key, value.shape, value.dtype) for key, value in real.items()
    ]
    assert all(value.is_meta for value in bare.values())


def test_a_network_that_reads_numbers_while_it_is_built_is_built_for_real() -> None:
    class Picky(torch.nn.Linear):
        def __init__(self) -> None:
            super().__init__(2, int(torch.ones(3).sum().item()))

    assert skeleton(Picky)["weight"].shape == (3, 2)


def test_the_compiler_of_torch_is_not_imported_for_it() -> None:
    """It costs seconds; filling a tensor on the meta device would import it."""
    code = (
        "import sys; from oodcore.models import build; from oodcore.models.skeleton import skeleton;"
        "[skeleton(lambda: build(name, 9)) for name in ('wrn-10-1', 'resnet-8', 'resnet18', 'vgg11')];"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
