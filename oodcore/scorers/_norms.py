"""One block's FeatureNorm out of all of them."""

from jaxtyping import Float64
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.records import Outputs


def norm_of(outputs: Outputs, block: int, /) -> Float64[Tensor, " n"]:
    """The norms of one block; negative numbers count from the end.

    Raises:
        ScoreError: the outputs carry no norms, or no such block.
    """
    if outputs.norms is None:
        raise ScoreError("This score reads the norms of blocks, and these outputs carry none. Ask for norms=True.")
    blocks = outputs.norms.shape[1]
    if not -blocks <= block < blocks:
        raise ScoreError(
            f"There is no block {block}: this network has {blocks}, from 0 to {blocks - 1} or from -{blocks} to -1."
        )
    return outputs.norms[:, block].double()
