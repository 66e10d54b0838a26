"""The passes of a network that scores need, shared among them.

Without gradient scorers one forward pass in inference mode. With them one forward pass that remembers its graph serves
all, each gradient scorer adds a backward pass to the images and a forward pass of its perturbed images.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Float64, Num
from torch import Tensor, nn

from oodcore.errors import ScoreError
from oodcore.models.collect import device_of, evaluating
from oodcore.panel.contents import Contents, Scores
from oodcore.records import Outputs
from oodcore.scorers import Fitted, GradientFitted


def from_outputs(panel: Contents, outputs: Outputs, /) -> Scores:
    """Scores of everything that is not a gradient scorer."""
    check_width(panel, outputs)
    outputs = outputs.detach()
    members = {name: member for name, member in panel.members.items() if not isinstance(member, GradientFitted)}
    return {name: scored(name, member, outputs) for name, member in members.items()}


def from_images(panel: Contents, model: nn.Module, images: Num[Tensor, "n c h w"], batch_size: int) -> Scores:
    """Scores of everything, batch by batch."""
    images = normalised(model, images)
    with evaluating(model):
        parts = [_batch(panel, model, batch) for batch in images.split(batch_size)]
    return {name: torch.cat([part[name] for part in parts]) for name in panel.names}


def _batch(panel: Contents, model: nn.Module, images: Float[Tensor, "n c h w"]) -> Scores:
    seekers = {name: member for name, member in panel.members.items() if isinstance(member, GradientFitted)}
    if not seekers:
        return from_outputs(panel, forward(panel, model, images))
    with torch.inference_mode(mode=False), torch.enable_grad():
        watched = images.detach().clone().requires_grad_()
        outputs = forward(panel, model, watched, graph=True)
        check_width(panel, outputs)
        gradients = _gradients(seekers, outputs, watched)
    scores = from_outputs(panel, outputs)
    for name, member in seekers.items():
        with torch.no_grad():
            perturbed = member.perturb(watched.detach(), gradients[name], spread(model, images))
        scores[name] = scored(name, member, forward(panel, model, perturbed))
    return {name: scores[name] for name in panel.names}


def _gradients(seekers: Mapping[str, GradientFitted], outputs: Outputs, images: Tensor) -> dict[str, Tensor]:
    """Of each objective with respect to the images; parameters are left out of the backward pass altogether."""
    found = {}
    for left, (name, member) in zip(reversed(range(len(seekers))), seekers.items(), strict=True):
        total = member.to(images.device).objective(outputs).sum()
        (found[name],) = torch.autograd.grad(total, images, retain_graph=left > 0)
    return found


def forward(panel: Contents, model: nn.Module, images: Float[Tensor, "n c h w"], *, graph: bool = False) -> Outputs:
    """One pass; with block norms where a member reads them."""
    options = {"norms": True} if panel.reads_norms else {}
    if graph:
        return model(images, **options)
    with torch.inference_mode():
        return model(images, **options)


def scored(name: str, member: Fitted, outputs: Outputs, /) -> Float64[Tensor, " n"]:
    """One scorer's finite scores, on the outputs' device.

    Raises:
        ScoreError: it names the scorer, and the rows that have no score.
    """
    with torch.no_grad():
        try:
            scores = member.to(outputs.logits.device)(outputs)
        except ScoreError as error:
            raise ScoreError(f"'{name}' cannot score these rows. {error}") from error
        except (RuntimeError, IndexError) as error:  # statistics of other shapes, as from a file that was tampered with
            raise ScoreError(f"'{name}' does not fit these rows. Fit the panel again. ({error})") from error
    if bool(scores.isfinite().all()):
        return scores
    rows = (~scores.isfinite()).nonzero().flatten().tolist()
    shown = ", ".join(map(str, rows[:8])) + (f" and {len(rows) - 8} more" if len(rows) > 8 else "")
    raise ScoreError(f"'{name}' gives no finite score for row {shown}. Check the weights and the images for NaN.")


def check_width(panel: Contents, outputs: Outputs, /) -> None:
    """The outputs have as many classes and features as the bank.

    Raises:
        ScoreError: they have not.
    """
    classes, width = outputs.logits.shape[1], outputs.features.shape[1]
    if panel.classes not in (None, classes) or panel.width not in (None, width):
        raise ScoreError(
            f"The panel was fitted on {panel.classes} classes and {panel.width} features, and these outputs have "
            f"{classes} and {width}. Use the network that it was fitted on."
        )


def normalised(model: nn.Module, images: Num[Tensor, "n c h w"], /) -> Float[Tensor, "n c s s"]:
    """Pixels at the network's size are normalised, floats stay as they are; both follow the model to its device.

    Raises:
        ScoreError: no batch of images, or pixels and a model without preprocessing.
    """
    if images.ndim != 4 or len(images) == 0:
        raise ScoreError(f"Images come as (n, channels, height, width), at least one; got {tuple(images.shape)}.")
    images = images.to(device_of(model))
    if images.is_floating_point():
        return images
    transform = getattr(model, "transform", None)
    if transform is None:
        raise ScoreError("This model has no `transform`, so it cannot be given pixels. Pass normalised images.")
    return transform.normalise(images)


def changed_steps(model: nn.Module, expected: Mapping[str, Any] | None, /) -> str:
    """`"size 32 then, 64 now"` where the model's preprocessing is not the expected one; empty where it is."""
    transform = getattr(model, "transform", None)
    if expected is None or transform is None:
        return ""
    found = transform.to_json()
    differ = [name for name in expected if name != "assumed" and expected[name] != found.get(name)]
    return ", ".join(f"{name} {expected[name]} then, {found.get(name)} now" for name in differ)


def spread(model: nn.Module, images: Float[Tensor, "n c h w"], /) -> Float[Tensor, " c"]:
    """What the images' channels were divided by.

    Raises:
        ScoreError: the model does not say.
    """
    std = getattr(getattr(model, "transform", None), "std", None)
    if std is None:
        raise ScoreError("A gradient scorer needs model.transform.std, what the images were divided by.")
    return torch.as_tensor(std, dtype=images.dtype, device=images.device)
