"""The k largest inner products with a bank of rows, in bounded memory and without sorting them all."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor
from torch.nn.functional import normalize

QUERIES = 512
"""Rows compared at once: enough for a fast product."""
COLUMNS = 65_536
"""Bank rows compared at once; with `QUERIES` 128 MB in float32."""
STRIPE = 16
"""Bank rows of which only the best competes in the first round."""


def directions(features: Float[Tensor, "n d"], /) -> Float32[Tensor, "n d"]:
    """Rows of unit length; a zero row stays zero."""
    return normalize(features.double(), dim=1, eps=torch.finfo(torch.float32).tiny).float()


def best_matches(
    queries: Float32[Tensor, "n d"], bank: Float32[Tensor, "m d"], k: int, /
) -> Iterator[tuple[Float32[Tensor, "q d"], Float32[Tensor, "q k"], Int64[Tensor, "q k"]]]:
    """For consecutive pieces of the queries: the piece, its `k` largest products, and their bank rows, unsorted.

    `k` is at most `m`.
    """
    for piece in queries.split(QUERIES):
        values, rows = (
            queries.new_empty(len(piece), 0),
            torch.empty(len(piece), 0, dtype=torch.int64, device=bank.device),
        )
        for start in range(0, len(bank), COLUMNS):
            more, found = _largest(piece @ bank[start : start + COLUMNS].mT, k)
            values, rows = torch.cat([values, more], dim=1), torch.cat([rows, found + start], dim=1)
            values, chosen = values.topk(min(k, values.shape[1]), dim=1, sorted=False)
            rows = rows.gather(1, chosen)
        yield piece, values, rows


def _largest(products: Float32[Tensor, "q m"], k: int) -> tuple[Float32[Tensor, "q k"], Int64[Tensor, "q k"]]:
    """The `min(k, m)` largest of each row, and where they are.

    The largest k lie in the k stripes with the largest maxima: an element outside them is beaten by k maxima.
    """
    stripes, rest = divmod(products.shape[1], STRIPE)
    if stripes <= 2 * k:
        values, columns = products.topk(min(k, products.shape[1]), dim=1, sorted=False)
        return values, columns
    striped = products[:, : products.shape[1] - rest].unflatten(1, (STRIPE, stripes))
    leading = striped.amax(dim=1).topk(k, dim=1, sorted=False).indices
    offsets = torch.arange(0, STRIPE * stripes, stripes, device=products.device)
    columns = (leading[:, None, :] + offsets[:, None]).flatten(1)
    tail = torch.arange(STRIPE * stripes, products.shape[1], device=products.device).expand(len(products), rest)
    columns = torch.cat([columns, tail], dim=1)
    values, chosen = products.gather(1, columns).topk(k, dim=1, sorted=False)
    return values, columns.gather(1, chosen)
