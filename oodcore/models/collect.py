"""One pass of a network over a set of images: the evidence for every fit, the outputs for every score."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal, overload

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor, nn

from oodcore.data import Batch, ImageSet
from oodcore.errors import CheckpointError, DataError, ScoreError
from oodcore.models.bank_on_disk import BankOnDisk, BankWriter
from oodcore.models.fingerprint import cache_key
from oodcore.models.network import Network, class_names
from oodcore.records import Bank, Head, Outputs

__all__ = ["Precision", "Progress", "class_index", "collect", "device_of", "elsewhere", "evaluating", "outputs_of"]

Precision = Literal["float32", "bfloat16", "float16"]
Progress = Callable[[int, int], None]


@overload
def collect(
    model: nn.Module, dataset: ImageSet, *, batch_size: int = ..., norms: bool = ...,
    device: torch.device | str | None = ..., precision: Precision = ..., progress: Progress | None = ...,
    cache: Path | str | None = ..., on_disk: None = ...,
) -> Bank: ...  # fmt: skip
@overload
def collect(
    model: nn.Module, dataset: ImageSet, *, batch_size: int = ..., norms: bool = ...,
    device: torch.device | str | None = ..., precision: Precision = ..., progress: Progress | None = ...,
    cache: Path | str | None = ..., on_disk: Path | str,
) -> BankOnDisk: ...  # fmt: skip
def collect(
    model: nn.Module,
    dataset: ImageSet,
    *,
    batch_size: int = 256,
    norms: bool = True,
    device: torch.device | str | None = None,
    precision: Precision = "float32",
    progress: Progress | None = None,
    cache: Path | str | None = None,
    on_disk: Path | str | None = None,
) -> Bank | BankOnDisk:
    """Logits, penultimate features and block norms of every image, on the CPU in float32.

    Args:
        model: What `oodcore.load` gives; its training mode and device are as before afterwards.
        dataset: Labels are carried over where the data set's class names are the model's, and -1 elsewhere.
        batch_size: Images per pass.
        norms: Whether to take a FeatureNorm of every block.
        device: Where to compute; None stays where the model is.
        precision: Below float32 by autocast.
        progress: Called with (done, total) images after every batch; whatever it raises ends the pass.
        cache: A folder of earlier results, found again by content: weights, preprocessing, data and code.
        on_disk: A folder; the bank is streamed into it, and kept and found again as in `cache`.

    Raises:
        DataError: the data set is empty.
        ScoreError: the network gives NaN or infinity.
    """
    network = _network(model)
    if len(dataset) == 0:
        raise DataError(f"'{dataset.name}' is empty. Collect at least one image.")
    folder = cache if on_disk is None else on_disk
    path = None if folder is None else Path(folder) / f"{_key(network, dataset, norms, precision)}.safetensors"
    stored = None if path is None else _stored(path)
    if stored is None:
        with elsewhere(network, device), evaluating(network):
            bank = _run(network, dataset, _Pass(batch_size, norms, precision, progress), path if on_disk else None)
        if path is not None and isinstance(bank, Bank):
            _keep(bank, path)
        return bank
    return stored.read() if on_disk is None else stored


@dataclass(frozen=True, slots=True)
class _Pass:
    batch_size: int
    norms: bool
    precision: Precision
    progress: Progress | None


def outputs_of(
    model: Network, pixels: UInt8[Tensor, "n 3 h w"], *, norms: bool = True, precision: Precision = "float32"
) -> Outputs:
    """One batch through the network, without gradients, in float32, on the CPU; the model should be in eval mode.

    Args:
        model: What `oodcore.load` gives.
        pixels: What `model.transform.pixels` gives; they follow the model to its device.
        norms: Whether to take a FeatureNorm of every block.
        precision: Below float32 by autocast.
    """
    device = device_of(model)
    lowered = torch.autocast(device.type, getattr(torch, precision)) if precision != "float32" else nullcontext()
    with torch.inference_mode(), lowered:
        outputs: Outputs = model(model.transform.normalise(pixels.to(device)), norms=norms)
    logits, features, *rest = outputs
    return Outputs(_owned(logits), _owned(features), *(None if field is None else _owned(field) for field in rest))


def class_index(dataset: ImageSet, classes: Sequence[str]) -> Int64[Tensor, " labels"]:
    """Row of the model's classes for each class of the data set, and -1 at the end for label -1.

    Names are compared without case; -1 where the model does not know a class. A model whose classes have no names of
    their own (`"class 0"`, …) takes the data set's order where the number of classes agrees.
    """
    if tuple(classes) == class_names(len(classes)) and len(classes) == len(dataset.classes):
        return torch.tensor([*range(len(classes)), -1])
    rows = {_plain(name): row for row, name in enumerate(classes)}
    return torch.tensor([*(rows.get(_plain(name), -1) for name in dataset.classes), -1])


def device_of(model: nn.Module) -> torch.device:
    """Where the first parameter lies."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode inside, every module's own mode again afterwards; a model in eval mode is not touched at all."""
    training = [module for module in model.modules() if module.training]
    if training:
        model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def elsewhere(model: nn.Module, device: torch.device | str | None) -> Iterator[None]:
    """The model on another device inside, back afterwards."""
    home = device_of(model)
    if device is None or torch.device(device) == home:
        yield
        return
    model.to(device)
    try:
        yield
    finally:
        model.to(home)


class _Memory:
    """Rows in tensors that are made once; a list of batches joined at the end would need twice the memory."""

    def __init__(self, rows: int, head: Head, centers: Tensor | None) -> None:
        self.rows, self.done, self.head, self.centers = rows, 0, head, centers
        self.fields: dict[str, Tensor] = {}

    def add(self, outputs: Outputs, labels: Int64[Tensor, " n"]) -> None:
        batch = {name: field for name, field in outputs._asdict().items() if field is not None} | {"labels": labels}
        end = self.done + len(labels)
        if end > self.rows:
            raise DataError(f"The data set gives more rows than the {self.rows} that it announced.")
        for name, field in batch.items():
            whole = self.fields.setdefault(name, field.new_empty(self.rows, *field.shape[1:]))
            whole[self.done : end] = field
        self.done = end

    def bank(self) -> Bank:
        if self.done != self.rows:
            raise DataError(f"The data set announced {self.rows} rows and gave {self.done}.")
        labels = self.fields.pop("labels")
        return Bank(Outputs(**self.fields), labels, self.head, self.centers)


def _run(model: Network, dataset: ImageSet, how: _Pass, path: Path | None) -> Bank | BankOnDisk:
    head, centers = Head(*map(_owned, model.head)), getattr(model, "centers", None)
    centers = None if centers is None else _owned(centers)
    batches = _batches(model, dataset, how)
    first = next(batches)
    rows = len(first[1]) * len(dataset) // min(how.batch_size, len(dataset))  # a dense network gives many per image
    if path is None:
        memory = _Memory(rows, head, centers)
        for outputs, labels in chain([first], batches):
            memory.add(outputs, labels)
        return memory.bank()
    with BankWriter(path, rows, head, centers) as writer:
        for outputs, labels in chain([first], batches):
            writer.add(outputs, labels)
    return BankOnDisk(path)


def _batches(model: Network, dataset: ImageSet, how: _Pass) -> Iterator[tuple[Outputs, Tensor]]:
    rows, done = class_index(dataset, model.classes), 0
    for batch in dataset.batches(how.batch_size, model.transform):
        outputs = outputs_of(model, batch.images, norms=how.norms, precision=how.precision)
        _check_finite(outputs, batch)
        done += len(batch.images)
        dense = len(outputs.logits) != len(batch.images)
        yield outputs, torch.full((len(outputs.logits),), -1) if dense else rows[batch.labels.cpu()]
        if how.progress is not None:
            how.progress(done, len(dataset))


def _network(model: nn.Module) -> Network:
    if isinstance(model, Network):
        return model
    raise CheckpointError(
        f"A {type(model).__name__} alone gives no features. Wrap it: oodcore.models.adapters.adapt(model, classes=…)."
    )


def _check_finite(outputs: Outputs, batch: Batch) -> None:
    for name, field in (("logits", outputs.logits), ("features", outputs.features)):
        if not bool(field.isfinite().all()):
            row = int((~field.isfinite().all(dim=1)).nonzero()[0])
            key = batch.keys[row * len(batch.images) // len(field)]
            raise ScoreError(
                f"The network gives NaN or infinite {name} for '{key}'. Check the weights, and use float32 or bfloat16."
            )


def _key(model: Network, dataset: ImageSet, norms: bool, precision: Precision) -> str:
    return cache_key(model, model.transform, dataset.digest, norms=norms, precision=precision)


def _stored(path: Path) -> BankOnDisk | None:
    """A file that cannot be read counts as absent, and is written again."""
    try:
        return BankOnDisk(path) if path.exists() else None
    except CheckpointError:
        return None


def _keep(bank: Bank, path: Path) -> None:
    with BankWriter(path, len(bank), bank.head, bank.centers) as writer:
        writer.add(bank.outputs, bank.labels)


def _owned(tensor: Tensor) -> Tensor:
    """A copy outside inference mode, which autograd may use, and which later training does not change."""
    return tensor.detach().to("cpu", torch.float32, copy=True)


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ").strip()
