"""Training, alone or against outliers, as a generator on Lightning Fabric: the caller owns the loop, no callbacks.

A progress bar, a live chart, saving and stopping are plain `for` bodies. The recipe is that of energy fine-tuning
(github.com/wetliu/energy_ood at 77f3c09, CIFAR/train.py): one forward pass over inliers and outliers together, SGD with
Nesterov momentum, a per-step cosine over the steps really taken.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from oodcore.data import ArraySet, augment
from oodcore.errors import DataError, OODError
from oodcore.functional import wide
from oodcore.losses import Objective, Terms
from oodcore.models import Network
from oodcore.records import Outputs
from oodcore.train.devices import fabric_for
from oodcore.train.order import batches_of, generator_of, rows_of
from oodcore.train.recipe import Recipe
from oodcore.train.schedule import cosine

if TYPE_CHECKING:
    from lightning.fabric import Fabric
else:
    Fabric = Any  # see `devices`

__all__ = ["DivergedError", "Step", "Training", "require_trainable", "steps_of"]

CHECKED = 25  # on an accelerator the loss is looked at every so many steps: each look waits for the device
NORMS = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


class DivergedError(OODError, ArithmeticError):
    """The loss is no longer a number."""


@dataclass(frozen=True, slots=True)
class Step:
    """One update, detached; reading a float from it is what costs a wait for the device.

    Args:
        index: Counts from 0.
        terms: Weighted scalars of the whole batch, on every process; their sum is what was minimised.
        activity: Share of rows, 0..1, on which each hinge pulled; of the whole batch, too.
        lr: Learning rate of this update.
    """

    index: int
    terms: Terms
    activity: Terms
    lr: float


class Joint(nn.Module):
    """Network and objective as one module: data-parallel training sees one forward, and trains class centres too."""

    def __init__(self, network: nn.Module, objective: Objective, recipe: Recipe) -> None:
        super().__init__()
        self.network, self.objective, self.recipe = network, objective, recipe

    def forward(self, images: Float[Tensor, "n 3 h w"], labels: Int64[Tensor, " b"]) -> tuple[Terms, Terms]:
        """Terms and activity; the first `b` images are in-distribution."""
        b = len(labels)
        outputs = self._passes(images, b)
        with torch.autocast(images.device.type, enabled=False):  # squared hinges and centres want float32
            inside, outside = _wide(outputs.take(slice(0, b))), _wide(outputs.take(slice(b, None)))
            terms = self.objective.terms(inside, labels, outside)
            return terms, self.objective.activity(inside.detach(), outside.detach())

    def _passes(self, images: Float[Tensor, "n 3 h w"], b: int) -> Outputs:
        if self.recipe.batch_norm != "separate" or len(images) == b:
            return self.network(images)
        inside = self.network(images[:b])
        with _statistics_kept(self.network):
            return Outputs.join([inside, self.network(images[b:])])

    def train(self, mode: bool = True) -> "Joint":
        """Training mode, except of what is not trained, and of batch norm where that is frozen."""
        super().train(mode)
        self.network.train(mode and self.recipe.trainable == "all")
        for module in self.network.modules():
            if isinstance(module, NORMS):
                module.train(mode and self.recipe.batch_norm != "frozen")
        return self


class Training:
    """A network on its way: what changes from step to step, and can be kept and taken up again.

    Args:
        model: Trained in place; its weights are where the run starts.
        objective: A fitted loss. Its parameters, if any, are trained along.
        inliers: In-distribution images in memory, each with a class.
        outliers: Auxiliary images in memory; None trains without.
        recipe: Settings.
        fabric: Devices, precision and processes; by default one CPU or GPU.

    Raises:
        DataError: fewer images than one batch, classes that the network lacks, outliers of another size, or batches
            that the processes cannot share.
    """

    def __init__(
        self,
        model: Network,
        objective: Objective,
        inliers: ArraySet,
        outliers: ArraySet | None = None,
        recipe: Recipe | None = None,
        fabric: Fabric | None = None,
    ) -> None:
        self.recipe = recipe = recipe or Recipe()
        self.fabric = fabric = fabric or fabric_for(recipe)
        require_trainable(inliers, outliers, len(model.classes), recipe, fabric.world_size)
        self.model, self.objective = model, objective
        self.inliers = inliers.to(fabric.device)
        self.outliers = None if outliers is None else outliers.to(fabric.device)
        self.steps = steps_of(inliers, recipe)
        self._rows = rows_of(inliers, recipe.batch, recipe.seed, "inliers")
        self._others = None if outliers is None else rows_of(outliers, recipe.outlier_batch, recipe.seed, "outliers")
        if recipe.channels_last:
            model.to(memory_format=torch.channels_last)
        network = torch.compile(model) if recipe.compile else model
        if recipe.trainable == "norms+head":
            keep_to_norms_and_head(model)
        joint = Joint(network, objective, recipe)  # type: ignore[arg-type]
        self.joint, self.optimizer = fabric.setup(joint, optimizer_of(joint, recipe))
        learned = {"model": model, "objective": objective} if isinstance(objective, nn.Module) else {"model": model}
        self._learned = nn.ModuleDict(learned)  # class centres belong to the features that they were learned with
        self.averaged = (
            AveragedModel(self._learned, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema)) if recipe.ema else None
        )
        self._modes = tuple((module, module.training) for module in self.joint.train().modules())
        self.done = 0
        """Updates taken so far."""

    @property
    def result(self) -> Network:
        """What is validated and kept: the averaged network where there is one."""
        return self.model if self.averaged is None else self.averaged.module["model"]  # type: ignore[index]

    @property
    def resulting_objective(self) -> Objective:
        """The objective that belongs to `result`: averaged with it, where it has weights of its own."""
        if self.averaged is None or "objective" not in self._learned:
            return self.objective
        return self.averaged.module["objective"]  # type: ignore[index]

    def __iter__(self) -> Iterator[Step]:
        """Yield after every update. The body may evaluate the model: every step sets training mode again.

        Raises:
            DivergedError: the loss is not finite; that step was not taken.
        """
        while self.done < self.steps:
            yield self._step(self.done)

    def _step(self, index: int) -> Step:
        recipe, parts = self.recipe, self.recipe.accumulate
        lr = cosine(index + 1, self.steps, recipe.lr, recipe.lr_end)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        if any(module.training is not mode for module, mode in self._modes):  # a tenth of what setting it costs
            self.joint.train()
        self._seed(index)
        if hasattr(self.objective, "stage"):
            self.objective.stage(index)
        found: list[tuple[Terms, Terms]] = []
        for part, (images, labels) in enumerate(self._batch(index)):
            with self.fabric.no_backward_sync(self.joint, enabled=part < parts - 1):
                terms, activity = self.joint(images, labels)
                total = self._checked(terms, index) / parts
                if part == 0:  # after the forward pass: freed before it, they leave holes that cost a step 6 % on CPU
                    self.optimizer.zero_grad()
                self.fabric.backward(total)
            found.append((terms, activity))
        self.optimizer.step()
        if self.averaged is not None:
            self.averaged.update_parameters(self._learned)
        self.done = index + 1
        return Step(index, self._whole([terms for terms, _ in found]), self._whole([active for _, active in found]), lr)

    def _whole(self, parts: list[Terms]) -> Terms:
        """The mean over this step's parts on every process, which all have equal shares of the batch."""
        own = _mean(parts)
        if self.fabric.world_size == 1 or not own:
            return own
        joined = self.fabric.all_reduce(torch.stack(list(own.values())), reduce_op="mean")
        return dict(zip(own, cast("Tensor", joined), strict=True))

    def _seed(self, index: int) -> None:
        """For dropout. `torch.manual_seed` would seed every kind of device there is, in 0.2 ms."""
        seed = generator_of(self.recipe.seed, "dropout", index, self.fabric.global_rank).initial_seed()
        torch.default_generator.manual_seed(seed)
        if self.fabric.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def _batch(self, index: int) -> Iterator[tuple[Float[Tensor, "n 3 h w"], Int64[Tensor, " b"]]]:
        """This process's images, one part after the other. Crops are the same however many processes share a batch."""
        rows = self._rows(index).to(self.fabric.device)
        others = rows[:0] if self._others is None else self._others(index).to(self.fabric.device)
        pictures = [self.inliers.images[rows]]
        if self.outliers is not None:
            pictures.append(self.outliers.images[others])
        images, labels = self._augmented(torch.cat(pictures), index), self.inliers.labels[rows]
        shares = self.fabric.world_size * self.recipe.accumulate
        first = self.fabric.global_rank * self.recipe.accumulate
        for share in range(first, first + self.recipe.accumulate):
            own = images
            if shares > 1:
                own = torch.cat([images[share : len(rows) : shares], images[len(rows) + share :: shares]])
            pixels = self.model.transform.normalise(own)
            yield (
                (pixels.to(memory_format=torch.channels_last) if self.recipe.channels_last else pixels),
                labels[share::shares],
            )

    def _augmented(self, images: UInt8[Tensor, "n 3 h w"], index: int) -> UInt8[Tensor, "n 3 h w"]:
        recipe = self.recipe
        if not recipe.pad and not recipe.flip:
            return images
        return augment(images, generator_of(recipe.seed, "crops", index), pad=recipe.pad, flip=recipe.flip)

    def _checked(self, terms: Terms, index: int) -> Float[Tensor, ""]:
        """The sum of the terms, known to be finite where looking is free, and every so many steps elsewhere.

        Several processes look at the sum of theirs: one that stopped alone would leave the others waiting.
        """
        total = torch.stack(list(terms.values())).sum()
        if (total.device.type == "cpu" or index % CHECKED == 0) and not self._finite(total):
            shown = ", ".join(f"{name}={term.item():.4g}" for name, term in terms.items())
            raise DivergedError(
                f"The loss is {total.item()} at step {index} ({shown}). Try a lower learning rate than "
                f"{self.recipe.lr:g}, and margins that fit this network's energies."
            )
        return total

    def _finite(self, total: Float[Tensor, ""]) -> bool:
        if self.fabric.world_size > 1:
            total = cast("Tensor", self.fabric.all_reduce(total.detach(), reduce_op="sum"))
        return bool(total.isfinite())

    def state_dict(self) -> dict[str, Any]:
        """Everything that changed since the start, as plain numbers and tensors: what `load_state_dict` takes up."""
        return {
            "done": self.done,
            "joint": _plain(self.joint).state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "averaged": None if self.averaged is None else self.averaged.state_dict(),
            "scaler": self.fabric.strategy.precision.state_dict(),  # of half precision
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the state was taken; on CPU, bit for bit as if nothing had happened.

        Whatever is drawn at random follows from the seed and the step's number.
        """
        self.done = state["done"]
        _plain(self.joint).load_state_dict(state["joint"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        self.fabric.strategy.precision.load_state_dict(state["scaler"])


def steps_of(inliers: ArraySet, recipe: Recipe) -> int:
    """Updates of a whole run.

    Raises:
        DataError: not one batch can be filled.
    """
    return recipe.steps or recipe.epochs * batches_of(inliers, recipe.batch)


def require_trainable(
    inliers: ArraySet, outliers: ArraySet | None, classes: int, recipe: Recipe, processes: int = 1
) -> None:
    """What can be known before any work.

    Raises:
        DataError: fewer images than one batch, classes that the network lacks, outliers of another size, or batches
            that the processes cannot share.
    """
    _require_labels(inliers, classes)
    _require_sizes(inliers, outliers)
    _require_shares(recipe, processes)
    batches_of(inliers, recipe.batch)
    if outliers is not None:
        batches_of(outliers, recipe.outlier_batch)


def optimizer_of(joint: nn.Module, recipe: Recipe) -> SGD:
    """Nesterov SGD over what asks for a gradient; class centres are not decayed."""
    named = [(name, value) for name, value in joint.named_parameters() if value.requires_grad]
    centers = [value for name, value in named if name.endswith("centers")]
    others = [value for name, value in named if not name.endswith("centers")]
    groups: list[dict[str, Any]] = [{"params": others, "weight_decay": recipe.weight_decay}]
    if centers:
        groups.append({"params": centers, "weight_decay": 0.0})
    return SGD(groups, recipe.lr, momentum=recipe.momentum, nesterov=recipe.momentum > 0)


def keep_to_norms_and_head(model: Network) -> None:
    """Nothing asks for a gradient but scale and shift of batch norm, and the last layer, whose memory `head` shares."""
    kept = {value.data_ptr() for value in model.head}
    for module in model.modules():
        if isinstance(module, NORMS):
            kept |= {value.data_ptr() for value in module.parameters()}
    for value in model.parameters():
        value.requires_grad_(value.data_ptr() in kept)


def _require_labels(inliers: ArraySet, classes: int) -> None:
    low, high = (int(end) for end in inliers.labels.aminmax()) if len(inliers) else (0, 0)
    if low < 0:
        raise DataError(f"'{inliers.name}' has images without a class. Train on in-distribution images only.")
    if high >= classes:
        raise DataError(f"'{inliers.name}' has a class number {high}; the network ends at {classes - 1}.")


def _require_sizes(inliers: ArraySet, outliers: ArraySet | None) -> None:
    if outliers is not None and inliers.images.shape[1:] != outliers.images.shape[1:]:
        known, strange = (tuple(part.images.shape[2:]) for part in (inliers, outliers))
        raise DataError(
            f"'{inliers.name}' has images of {known[0]}x{known[1]}, '{outliers.name}' of {strange[0]}x{strange[1]}. "
            "Resize them to one size: they share a batch."
        )


def _require_shares(recipe: Recipe, processes: int) -> None:
    parts = processes * recipe.accumulate
    if recipe.batch % parts or recipe.outlier_batch % parts:
        raise DataError(
            f"Batches of {recipe.batch} and {recipe.outlier_batch} cannot be shared by {parts} parts of equal size. "
            f"Choose multiples of {parts}."
        )


@contextmanager
def _statistics_kept(network: nn.Module) -> Iterator[None]:
    """Batch norm normalises by the batch and leaves its running statistics alone."""
    layers = [(module, module.momentum) for module in network.modules() if isinstance(module, NORMS)]
    try:
        for module, _ in layers:
            module.momentum = 0.0
        yield
    finally:
        for module, momentum in layers:
            module.momentum = momentum


def _wide(outputs: Outputs) -> Outputs:
    """Half precision, which autocast leaves behind, as float32."""
    logits, features, norms, embeddings = outputs
    return Outputs(wide(logits), wide(features), norms, None if embeddings is None else wide(embeddings))


def _plain(module: nn.Module) -> nn.Module:
    """Behind the wrappers of Fabric and of data-parallel training."""
    while not isinstance(module, Joint):
        module = cast("nn.Module", module.module)
    return module


def _mean(parts: list[Terms]) -> Terms:
    if len(parts) == 1:
        return {name: value.detach() for name, value in parts[0].items()}
    return {name: torch.stack([part[name].detach() for part in parts]).mean() for name in parts[0]}
