r"""What in a picture raises or lowers its energy: integrated gradients (Sundararajan et al., ICML 2017, eq. 1).

$A_i = (x_i - x'_i) \int_0^1 \partial_i E(x' + t(x - x'))\,dt$ with $x'$ the plain picture of the photo's mean colour,
so that detail is explained and not the colour of it all. The values sum to $E(x) - E(x')$, up to the steps of the
integral (arXiv:1703.01365, proposition 1).
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.functional import free_energy
from oodcore.models.collect import device_of, evaluating
from oodcore.models.network import Network
from oodcore.records import Outputs

__all__ = ["EnergyMap", "energy_map", "smooth"]

STEPS = 32
READABLE = 1 / 24
"""Standard deviation of the usual smoothing, as a share of the picture's side: gradients of single pixels are noise."""


class EnergyMap(NamedTuple):
    """One value per pixel, summed over colours. ABOVE 0 raises the energy = more out-of-distribution.

    Args:
        values: On the CPU.
        energy: Of the picture; LOW is in-distribution.
        start: Of the plain picture that it is compared with.
    """

    values: Float32[Tensor, "h w"]
    energy: float
    start: float

    @property
    def missing(self) -> float:
        """What the steps of the integral lost of `energy - start`."""
        return self.energy - self.start - float(self.values.double().sum())

    @property
    def raised(self) -> float:
        """Sum of the values above 0."""
        return float(self.values.double().clamp_min(0).sum())

    @property
    def lowered(self) -> float:
        """Sum of the values below 0."""
        return float(self.values.double().clamp_max(0).sum())


def energy_map(
    model: Network, pixels: UInt8[Tensor, "3 h w"], *, steps: int = STEPS, batch_size: int = STEPS
) -> EnergyMap:
    """Integrate along the straight line from the plain picture, at the middles of equal steps.

    The network is evaluated in eval mode, where it is, and given back as it was; no gradient stays on its parameters.

    Args:
        model: Gives one row of logits per picture.
        pixels: What `model.transform.pixels` gives.
        steps: Of the integral; more are more exact, and cost a forward and a backward pass each.
        batch_size: Steps in one pass.

    Raises:
        ScoreError: fewer than one step, a network with more than one row per picture, or a gradient that is not finite.
    """
    if steps < 1 or batch_size < 1:
        raise ScoreError(f"The integral needs at least one step, and one in each pass; got {steps} and {batch_size}.")
    with torch.inference_mode(mode=False), evaluating(model):
        image = model.transform.normalise(pixels.to(device_of(model))[None])
        plain = image.mean(dim=(2, 3), keepdim=True).expand_as(image)
        shares = (torch.arange(steps, device=image.device) + 0.5) / steps
        total = sum(_gradients(model, plain, image, shares.split(batch_size)), torch.zeros_like(image))
        with torch.no_grad():
            ends = _energies(model, torch.cat([plain, image])).tolist()
    values = ((image - plain) * total / steps).sum(dim=1)[0].float().cpu()
    if not bool(values.isfinite().all()):
        raise ScoreError("The network's gradients are not finite for this picture. Check its weights.")
    return EnergyMap(values, energy=ends[1], start=ends[0])


def smooth(values: Float32[Tensor, "h w"], width: float | None = None) -> Float32[Tensor, "h w"]:
    """Blurred so that a person can read it; the sum stays.

    Args:
        values: Of an `EnergyMap`.
        width: Standard deviation in pixels; None is a 24th of the shorter side.
    """
    from scipy.ndimage import gaussian_filter  # 0.1 s

    chosen = min(values.shape) * READABLE if width is None else width
    return torch.from_numpy(gaussian_filter(values.double().numpy(), chosen, mode="reflect")).float()


def _gradients(
    model: Network, plain: Float[Tensor, "1 3 h w"], image: Float[Tensor, "1 3 h w"], shares: tuple[Tensor, ...]
) -> Iterator[Float[Tensor, "1 3 h w"]]:
    """Of the energy, summed over the steps of one pass; parameters are left out of the backward pass altogether."""
    for part in shares:
        with torch.enable_grad():
            between = (plain + part[:, None, None, None] * (image - plain)).requires_grad_()
            (found,) = torch.autograd.grad(_energies(model, between).sum(), between)
        yield found.sum(dim=0, keepdim=True)


def _energies(model: Network, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"]:
    outputs: Outputs = model(images)
    if len(outputs.logits) != len(images):
        raise ScoreError("An energy map needs a network that gives one answer per picture; this one gives many.")
    return free_energy(outputs.logits)
