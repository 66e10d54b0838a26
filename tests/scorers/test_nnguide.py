import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from oodcore.errors import ScoreError
from oodcore.records import Bank, Head, Outputs
from oodcore.scorers.nnguide import NNGuide


def world(rows: int = 200) -> tuple[Bank, Outputs]:
    head = Head(torch.randn(3, 8), torch.randn(3))
    x, queries = torch.randn(rows, 8), 2 * torch.randn(30, 8)
    return Bank(Outputs(head(x), x), torch.arange(rows) % 3, head), Outputs(head(queries), queries)


@pytest.mark.parametrize(("rows", "k"), [(200, 10), (200, 1), (3000, 5), (4, 10)])
def test_matches_sorted_products(rows: int, k: int) -> None:
    bank, queries = world(rows)
    x, q = bank.outputs.features.double().numpy(), queries.features.double().numpy()
    energies = logsumexp(bank.outputs.logits.double().numpy(), axis=1)
    cosines = (q / np.linalg.norm(q, axis=1)[:, None]) @ (x / np.linalg.norm(x, axis=1)[:, None]).T
    guidance = np.sort(cosines * energies, axis=1)[:, -k:].mean(1)
    expected = -guidance * logsumexp(queries.logits.double().numpy(), axis=1)
    np.testing.assert_allclose(NNGuide(k).fit(bank)(queries), expected, rtol=1e-4, atol=1e-5)


def test_matches_pytorch_ood() -> None:
    from pytorch_ood.detector import NNGuide as Other

    bank, queries = world()
    theirs = Other(None, bank.head, k=10).fit_features(bank.outputs.features, bank.labels)
    expected = theirs.predict_features(queries.features)
    torch.testing.assert_close(NNGuide().fit(bank)(queries), expected.double(), rtol=1e-4, atol=1e-5)


def test_a_large_bank_is_thinned_rows_and_energies_alike() -> None:
    bank, queries = world(100)
    thinned = NNGuide(max_rows=50).fit(bank)
    torch.testing.assert_close(thinned(queries), NNGuide().fit(bank.take(slice(0, None, 2)))(queries))


def test_counts_below_one_are_refused() -> None:
    with pytest.raises(ScoreError, match="at least 1"):
        NNGuide(k=0).fit(world()[0])
