"""What a network takes a set of outliers for: counts of every image, and the logits of some to look at closely."""

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from oodcore.checkpoint.layout import OUTLIERS
from oodcore.checkpoint.places import file_of
from oodcore.data import ImageSet, long_tail_counts
from oodcore.errors import CheckpointError, DataError
from oodcore.evaluate.work import spread_rows
from oodcore.functional import free_energy
from oodcore.models import Network
from oodcore.models.collect import outputs_of
from oodcore.priors import outlier_counts, softmax_average
from oodcore.tensor_file import write_tensors

__all__ = ["Census", "counting", "load_censuses", "read_censuses", "save_censuses", "take_census"]

ROWS, LOGITS = 2000, 400_000  # images that are kept closely, and numbers that may take in all
FIELDS = ("counts", "average", "rows", "labels", "logits")


@dataclass(frozen=True, slots=True, eq=False)
class Census:
    """Where the outliers of one set fall.

    Args:
        name: Of the set.
        split: Its part.
        kinds: The set's own classes.
        counts: Of all images, how many have their largest logit at each of the network's classes.
        average: Their mean softmax.
        rows: Numbers of the images that are kept closely, evenly spread over the set.
        labels: Which of the set's own classes each of them is of, or -1.
        logits: What the network says of each of them.
    """

    name: str
    split: str
    kinds: tuple[str, ...]
    counts: Int64[Tensor, " k"]
    average: Float64[Tensor, " k"]
    rows: Int64[Tensor, " m"]
    labels: Int64[Tensor, " m"]
    logits: Float32[Tensor, "m k"]

    @property
    def images(self) -> int:
        """How many were counted."""
        return int(self.counts.sum())

    @property
    def energies(self) -> Float32[Tensor, " m"]:
        """Of the images that are kept closely; HIGH = out-of-distribution."""
        return free_energy(self.logits)

    def thinned(self, imbalance: float) -> "Census":
        """As if the first kind were so many times as frequent as the last, falling exponentially between.

        Of each kind the first images are taken, so that a stronger imbalance only leaves images out. All numbers are
        of the images that are kept closely.

        Args:
            imbalance: At least 1, which takes as many of each kind.

        Raises:
            DataError: the images are not of known kinds, or the imbalance is below 1.
        """
        return self._of(self.chosen(imbalance))

    def chosen(self, imbalance: float) -> Int64[Tensor, " chosen"]:
        """Which of the kept images `thinned` takes: positions in `rows`, rising.

        Raises:
            DataError: see `thinned`.
        """
        if not self.kinds or bool((self.labels < 0).any()):
            raise DataError(f"The images of '{self.name}' are of no known kinds, so they cannot be thinned by kind.")
        if not 1 <= imbalance < float("inf"):
            raise DataError(f"The imbalance is the first kind over the last: 1 or more; got {imbalance}.")
        have = torch.bincount(self.labels, minlength=len(self.kinds))
        wanted = long_tail_counts(int(have.min()), len(self.kinds), 1 / imbalance)
        parts = [(self.labels == kind).nonzero().flatten()[:count] for kind, count in enumerate(wanted)]
        return torch.cat(parts).sort().values

    def _of(self, chosen: Int64[Tensor, " chosen"]) -> "Census":
        logits = self.logits[chosen]
        return replace(
            self,
            counts=outlier_counts(logits),
            average=softmax_average(logits),
            rows=self.rows[chosen],
            labels=self.labels[chosen],
            logits=logits,
        )


def counting(
    model: Network, images: ImageSet, split: str, *, batch_size: int = 256
) -> Generator[Int64[Tensor, " k"], None, Census]:
    """Yields the counts so far, whose sum is how many images were looked at; ends with the census.

    Args:
        model: Before fine-tuning, where a prior for balanced energy is wanted.
        images: Outliers.
        split: What part of the set they are.
        batch_size: Images in one pass.

    Raises:
        DataError: no images.
        ScoreError: the network gives NaN or infinity.
    """
    if not len(images):
        raise DataError(f"'{images.name}' is empty. Count at least one image.")
    parts: list[Float32[Tensor, "n k"]] = []
    counts = torch.zeros((), dtype=torch.int64)
    for batch in images.batches(batch_size, model.transform):
        parts.append(outputs_of(model, batch.images, norms=False).logits)
        counts = counts + outlier_counts(parts[-1])
        yield counts
    logits = torch.cat(parts)
    rows = spread_rows(len(images), min(ROWS, max(LOGITS // logits.shape[1], 1)))
    return Census(
        name=images.name,
        split=split,
        kinds=tuple(images.classes),
        counts=counts,
        average=softmax_average(logits),
        rows=rows,
        labels=images.labels.cpu()[rows],
        logits=logits[rows].clone(),
    )


def take_census(model: Network, images: ImageSet, split: str, *, batch_size: int = 256) -> Census:
    """All at once; see `counting`."""
    steps = counting(model, images, split, batch_size=batch_size)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Census = end.value
            return found


def save_censuses(path: Path, found: Mapping[str, Census]) -> None:
    """Write them into one file.

    Raises:
        OSError: it cannot be written.
    """
    tensors = {f"{name}/{field}": getattr(each, field) for name, each in found.items() for field in FIELDS}
    about = {name: {"name": each.name, "split": each.split, "kinds": each.kinds} for name, each in found.items()}
    write_tensors(path, tensors, {"about": json.dumps(about)})


def read_censuses(path: Path) -> dict[str, Census]:
    """The way back.

    Raises:
        CheckpointError: the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["about"])
            return {
                name: Census(
                    name=each["name"],
                    split=each["split"],
                    kinds=tuple(each["kinds"]),
                    **{field: file.get_tensor(f"{name}/{field}") for field in FIELDS},
                )
                for name, each in about.items()
            }
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"'{path}' is damaged ({error}). Count the outliers again.") from None


def load_censuses(source: Path | str) -> dict[str, Census]:
    """Those that lie with a checkpoint, by the name of the set; empty where there are none.

    Args:
        source: A checkpoint folder, or the name of a shipped one.

    Raises:
        CheckpointError: the file is damaged, or not the one that the card names.
    """
    path = file_of(source, OUTLIERS)
    return {} if path is None else read_censuses(path)
