"""NormRatio: the block that tells an image from its own jigsaw best (Yu et al., CVPR 2023, arXiv:2212.02295).

For each block the mean, over in-distribution training images, of FeatureNorm(image) / FeatureNorm(its jigsaw).
"""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from oodcore.data import ImageSet, jigsaw, random_permutations
from oodcore.errors import DataError, ScoreError
from oodcore.models.collect import Progress, device_of, evaluating
from oodcore.models.network import Network

__all__ = ["norm_ratio", "ratios", "select_block"]

EPSILON = 1e-12


def select_block(model: Network, dataset: ImageSet, generator: torch.Generator | None = None) -> int:
    """Index of the block with the largest NormRatio."""
    return int(norm_ratio(model, dataset, generator).argmax())


def norm_ratio(
    model: Network,
    dataset: ImageSet,
    generator: torch.Generator | None = None,
    *,
    normalised: bool = True,
    batch_size: int = 256,
    progress: Progress | None = None,
) -> Float64[Tensor, " blocks"]:
    """Mean over the images of each block's norm ratio; above 1, the block prefers images to their jigsaws.

    Args:
        model: What `oodcore.load` gives.
        dataset: In-distribution training images.
        generator: Of the tile orders, one per image; without one they follow the global seed.
        normalised: Whether the network sees normalised images, as in training. The released code feeds 0..1.
        batch_size: Images per pass; each is seen twice.
        progress: Called with (done, total) images after every batch.

    Raises:
        DataError: the data set is empty.
        ScoreError: the network has no blocks, or a norm is NaN or infinite.
    """
    if len(dataset) == 0:
        raise DataError(f"'{dataset.name}' is empty. NormRatio needs at least one in-distribution image.")
    device, total, done = device_of(model), torch.zeros((), dtype=torch.float64), 0
    with evaluating(model):
        for batch in dataset.batches(batch_size, model.transform):
            order = random_permutations(len(batch.images), generator)
            pieces = jigsaw(batch.images, order.to(batch.images.device))
            whole, cut = (
                _norms(model, model.transform.normalise(pixels) if normalised else pixels.float() / 255)
                for pixels in (batch.images.to(device), pieces.to(device))
            )
            total = total + ratios(whole, cut).sum(0).cpu()
            done += len(batch.images)
            if progress is not None:
                progress(done, len(dataset))
    return total / done


def ratios(whole: Float[Tensor, "n blocks"], cut: Float[Tensor, "n blocks"]) -> Float64[Tensor, "n blocks"]:
    """Norm of the image over norm of its jigsaw; 1e-12 keeps a silent jigsaw finite."""
    return whole.double() / (cut.double() + EPSILON)


@torch.no_grad()
def _norms(model: Network, images: Tensor) -> Tensor:
    norms = model(images, norms=True).norms
    if norms is None or not norms.shape[1]:
        raise ScoreError("No blocks were found in this network, so there is no FeatureNorm to compare.")
    if not bool(norms.isfinite().all()):
        raise ScoreError("A block's FeatureNorm is NaN or infinite. Check the weights and the preprocessing.")
    return norms
