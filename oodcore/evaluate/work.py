"""How passes over image sets are run: batches, cache, progress; and the scores that come out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from oodcore.data import ImageSet
from oodcore.models import Network
from oodcore.models.collect import collect, device_of
from oodcore.panel import FittedPanel, passes
from oodcore.records import Bank

__all__ = ["Progress", "Scores", "Work", "bank_of", "scores_of", "spread_rows"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many images are done, and of how many; what it raises ends the work."""

Scores = dict[str, Float64[Tensor, " n"]]


@dataclass(frozen=True, slots=True)
class Work:
    """How passes are run.

    Args:
        batch_size: Images per pass.
        cache: Folder for collected outputs, keyed by content; None keeps nothing.
        progress: See `Progress`.
    """

    batch_size: int = 256
    cache: Path | None = None
    progress: Progress | None = None

    def telling(self, stage: str) -> Callable[[int, int], None]:
        """For a function that counts images and knows no stages."""

        def tell(done: int, total: int) -> None:
            if self.progress is not None:
                self.progress(stage, done, total)

        return tell


def bank_of(model: Network, images: ImageSet, work: Work) -> Bank:
    """Outputs of every image, from the cache where they are known."""
    tell = work.telling(f"Collecting {images.name}")
    return collect(model, images, batch_size=work.batch_size, cache=work.cache, progress=tell)


def scores_of(panel: FittedPanel, model: Network, images: ImageSet, work: Work | None = None) -> tuple[Scores, Bank]:
    """Every score of every image, and the outputs that they were read from; computed where the network is, kept on CPU.

    Gradient scorers differentiate the network, so for them alone the images pass again.

    Raises:
        ScoreError: a score is not finite, or the panel belongs to another network.
    """
    work = work or Work()
    panel.check(model)
    bank = bank_of(model, images, work)
    quick, slow = panel.halves()
    found = {name: scores.cpu() for name, scores in quick(bank.outputs.to(device_of(model))).items()}
    if slow.names:
        found |= _gradient_scores(slow, model, images, work)
    return {name: found[name] for name in panel.names}, bank


def _gradient_scores(panel: FittedPanel, model: Network, images: ImageSet, work: Work) -> Scores:
    """Of a network that was checked: hashing its weights anew for every batch would cost as much as a small pass."""
    tell, parts, done = work.telling(f"Differentiating {images.name}"), [], 0
    for batch in images.batches(work.batch_size, model.transform):
        parts.append(passes.from_images(panel, model, batch.images, work.batch_size))
        done += len(batch.images)
        tell(done, len(images))
    return {name: torch.cat([part[name] for part in parts]).cpu() for name in panel.names}


def spread_rows(n: int, most: int) -> Int64[Tensor, " rows"]:
    """At most `most` row numbers out of `n`, evenly spread from the first on."""
    return torch.arange(min(n, most)) * n // max(min(n, most), 1)
