import pytest
import torch
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Bank, Head, Outputs
from oodcore.scorers.she import SHE

HEAD = Head(torch.eye(2), torch.zeros(2))


def as_bank(features: list[list[float]], labels: list[int]) -> Bank:
    rows = torch.tensor(features, dtype=torch.float32)
    return Bank(Outputs(HEAD(rows), rows), torch.tensor(labels), HEAD)


def scores(bank: Bank, queries: list[list[float]]) -> list[float]:
    rows = torch.tensor(queries, dtype=torch.float32)
    found: Tensor = SHE().fit(bank)(Outputs(HEAD(rows), rows))
    return found.tolist()


def test_a_worked_example() -> None:
    """Class 0 keeps (4, 0) and (2, 1); the row of class 0 that looks like class 1 is left out."""
    bank = as_bank([[4, 0], [2, 1], [0, 9], [1, 5]], [0, 0, 0, 1])
    assert scores(bank, [[1, 0], [2, 3]]) == pytest.approx([-3.0, -(2 * 1 + 3 * 5)])


def test_a_class_never_recognised_takes_all_its_rows() -> None:
    bank = as_bank([[4, 0], [6, 2]], [0, 1])
    assert scores(bank, [[0, 1]]) == pytest.approx([-2.0])


def test_matches_pytorch_ood() -> None:
    from pytorch_ood.detector import SHE as Other

    head = Head(torch.randn(3, 8), torch.randn(3))
    x, y = torch.randn(300, 8), torch.arange(300) % 3
    theirs = Other(None, head).fit_features(x, y).predict_features(2 * x)
    ours = SHE().fit(Bank(Outputs(head(x), x), y, head))(Outputs(head(2 * x), 2 * x))
    torch.testing.assert_close(ours, theirs.double(), rtol=1e-5, atol=1e-5)


def test_an_empty_class_is_named() -> None:
    with pytest.raises(ScoreError, match=r"class 1\."):
        SHE().fit(as_bank([[4, 0], [2, 1]], [0, 0]))
