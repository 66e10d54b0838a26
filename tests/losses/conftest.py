from collections.abc import Iterator

import jaxtyping
import pytest
import torch
from torch import Tensor


@pytest.fixture
def batch() -> tuple[Tensor, Tensor, Tensor]:
    """Logits of five images, their classes, and logits of seven outliers; four classes, float64."""
    draws = torch.Generator().manual_seed(11)
    inside = 3 * torch.randn(5, 4, generator=draws, dtype=torch.float64)
    outside = 2 * torch.randn(7, 4, generator=draws, dtype=torch.float64)
    return inside, torch.tensor([0, 3, 1, 1, 2]), outside


@pytest.fixture
def unchecked() -> Iterator[None]:
    """As outside the tests: types are not checked at calls."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
