"""Semantic energy: energy hinges coupled with trained class centres (SDE: Joshi et al., IJCNN 2022, arXiv:2208.10787).

Only the abstract was at hand. It names the parts: energy low inside and high outside, a cluster focal loss that draws
features to class centres, outliers pushed away from them. Formulas and numbers are this project's reconstruction.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from oodcore.errors import ScoreError
from oodcore.functional import Distance, Reading, cluster_focal, representation_score, wide
from oodcore.losses import About, Terms, losses, require_batch
from oodcore.losses._hinges import energy_gaps, require_margins, require_numbers, require_range, shares
from oodcore.models import Network
from oodcore.records import Evidence, Outputs

__all__ = ["SemanticEnergy", "SemanticEnergyObjective"]

QUANTILE, BEYOND = 0.99, 1.0  # of the Euclidean push margin: a typical distance beyond nearly all known images


class Usual(NamedTuple):
    """Numbers that go with a distance."""

    temperature: float
    pull: float


USUAL: dict[Distance, Usual] = {"cosine": Usual(0.1, 0.5), "euclidean": Usual(1.0, 0.05)}


@losses.register
@dataclass(frozen=True, slots=True)
class SemanticEnergy:
    r"""$CE + \lambda\,[\text{hinges of energy}] + w_C\, L_{CFL} + w_R\, \overline{\max(0, M - R)^2}$.

    Embeddings are a linear projection of the penultimate features; it and the class centres are trained along. $R$ is
    `oodcore.functional.representation_score` of outliers, $L_{CFL}$ `oodcore.functional.cluster_focal` of known images.

    Args:
        weight: $\lambda \ge 0$: how much both hinges of the energy count beside the cross-entropy.
        margin_in: $m_{in}$; in-distribution energies are pushed below it; see `Energy`.
        margin_out: $m_{out}$, above `margin_in`; outliers' energies are pushed above it.
        weight_cluster: $w_C \ge 0$: how much known images are drawn to the centre of their class.
        weight_push: $w_R \ge 0$: how much outliers are pushed away from all centres; 0 leaves them alone.
        reading: Which of three the cluster focal loss is; see `oodcore.functional.cluster_focal`. C needs cosines.
        distance: Of an embedding to a centre; see there. Cosines are the better choice on features behind a ReLU.
        temperature: $\tau > 0$; None takes 0.1 with cosines, 1 with Euclidean distances.
        gamma: $\gamma \ge 0$: the higher, the less count images that are close to their centre already.
        pull: $\eta \ge 0$; None takes 0.5 with cosines, 0.05 with Euclidean distances. At 0, clusters stay wide.
        margin_push: $M$; None takes 1 with cosines (no cosine above 1/2), and with Euclidean distances the 99th
            percentile of R over the bank plus 1. The bank is collected before fine-tuning, so warm-up, which draws
            known images closer, has not shrunk it yet.
        width: Number m of embedding dimensions.
        warm_up: So many steps train with cross-entropy and cluster focal loss alone: 371 are an epoch of CIFAR in
            batches of 128 without its calibration images. Batch norm sees outliers from the first step on.
        seed: Of the projection at the start.

    Raises:
        ScoreError: a number out of its range, margins the wrong way round, or an unknown reading or distance.
    """

    weight: float = 0.1
    margin_in: float = -23.0
    margin_out: float = -5.0
    weight_cluster: float = 1.0
    weight_push: float = 0.1
    reading: Reading = "A"
    distance: Distance = "cosine"
    temperature: float | None = None
    gamma: float = 2.0
    pull: float | None = None
    margin_push: float | None = None
    width: int = 128
    warm_up: int = 371
    seed: int = 0
    about: ClassVar[About] = About(
        "Semantic energy", "reconstruction of Joshi et al., arXiv:2208.10787", outliers=True, evidence="bank"
    )

    def __post_init__(self) -> None:
        for name, value, known in (
            ("reading", self.reading, get_args(Reading)),
            ("distance", self.distance, get_args(Distance)),
        ):
            if value not in known:
                raise ScoreError(f"{name} must be one of {', '.join(known)}; got {value!r}.")
        if self.reading == "C" and self.distance != "cosine":
            raise ScoreError("Reading C is defined on cosines. Use distance 'cosine', or reading A or B.")
        require_range(
            weight=self.weight,
            weight_cluster=self.weight_cluster,
            weight_push=self.weight_push,
            temperature=self.tau,
            gamma=self.gamma,
            pull=self.eta,
            warm_up=self.warm_up,
            width=self.width,
        )
        require_margins(self.margin_in, self.margin_out)
        if not 0 < self.tau < math.inf:
            raise ScoreError(f"temperature must be above 0 and finite; got {self.tau:g}.")
        if self.margin_push is not None:
            require_numbers(margin_push=self.margin_push)
            if not math.isfinite(self.margin_push):
                raise ScoreError(f"margin_push must be finite; got {self.margin_push}.")
        if self.width < 1:
            raise ScoreError(f"width must be at least 1; got {self.width}.")

    @property
    def tau(self) -> float:
        """The temperature, chosen or usual."""
        return USUAL[self.distance].temperature if self.temperature is None else self.temperature

    @property
    def eta(self) -> float:
        """The pull, chosen or usual."""
        return USUAL[self.distance].pull if self.pull is None else self.pull

    def fit(self, bank: Evidence | None = None, /) -> "SemanticEnergyObjective":
        """With the network's outputs on in-distribution training images, before fine-tuning.

        The projection starts orthogonal, the centres as the means of their classes. With Euclidean distances the
        projection is scaled so that an image is at squared distance 1 from a centre, over all images and centres.

        Raises:
            ScoreError: no bank, an empty one, a class without a row, or NaN.
        """
        if bank is None:
            raise ScoreError(
                "Semantic energy starts from the network's outputs on in-distribution training images. Pass it a bank, "
                "as from oodcore.collect."
            )
        if empty := (bank.moments.counts == 0).nonzero().flatten().tolist():
            raise ScoreError(f"Classes {empty} have no row in the bank, so no centre. Collect images of every class.")
        projection = orthogonal(self.width, bank.head.weight.shape[1], self.seed).to(bank.head.weight.device)
        if self.distance == "euclidean":
            projection = projection / typical_distance(bank, projection) ** 0.5
        centers = class_means(bank, projection, self.distance)
        return SemanticEnergyObjective(self, projection, centers, self._push_margin(bank, projection, centers))

    def _push_margin(self, bank: Evidence, projection: Float[Tensor, "m d"], centers: Float[Tensor, "k m"]) -> float:
        if self.margin_push is not None:
            return self.margin_push
        if self.distance == "cosine":
            return 1.0
        scores = torch.cat([
            representation_score(
                part.outputs.features.float() @ projection.mT, centers, distance=self.distance, temperature=self.tau
            )
            for part in bank.chunks()
        ])  # fmt: skip
        return scores.kthvalue(math.ceil(QUANTILE * len(scores)))[0].item() + BEYOND


class SemanticEnergyObjective(nn.Module):
    """See `SemanticEnergy`. Projection and centres are parameters; the centres should not be decayed.

    Args:
        loss: Its numbers.
        projection: Where the projection of features starts.
        centers: Where the class centres start.
        margin_push: $M$.
    """

    def __init__(
        self,
        loss: SemanticEnergy,
        projection: Float[Tensor, "m d"],
        centers: Float[Tensor, "k m"],
        margin_push: float,
    ) -> None:
        super().__init__()
        self.loss, self.margin_push = loss, margin_push
        self.projection = nn.Parameter(projection.detach().clone())
        self.centers = nn.Parameter(centers.detach().clone())
        self.temperature, self.pull = loss.tau, loss.eta  # as they are used
        self.warming = False
        """Whether the hinges wait; only `stage` sets it."""

    def stage(self, step: int, /) -> None:
        """Say which step comes next, from 0 on: the first `warm_up` ones leave the hinges out."""
        self.warming = step < self.loss.warm_up

    def forward(self, inside: Outputs, labels: Int[Tensor, " n"], outside: Outputs, /) -> Terms:
        """Weighted scalar terms of one batch; each side is averaged over itself. All in at least float32."""
        require_batch(inside.logits, outside.logits)
        inner, outer = self._energy_gaps(inside, outside)
        loss, on = self.loss, 0.0 if self.warming else 1.0  # multiplied, so that every step has the same graph
        return {
            "cross_entropy": F.cross_entropy(wide(inside.logits), labels),
            "energy_in": on * loss.weight * inner.square().mean(),
            "energy_out": on * loss.weight * outer.square().mean(),
            "cluster": loss.weight_cluster * self._cluster(inside, labels),
            "push": on * loss.weight_push * self._push_gap(outside).square().mean(),
        }

    def terms(self, inside: Outputs, labels: Int[Tensor, " n"], outside: Outputs, /) -> Terms:
        """The same, by the name that the trainer knows."""
        return self.forward(inside, labels, outside)

    def activity(self, inside: Outputs, outside: Outputs, /) -> Terms:
        """Share of each side that is on the wrong side of its margin, in warm-up too."""
        push = (self._push_gap(outside) > 0).float().mean()
        return {**shares(*self._energy_gaps(inside, outside)), "push": push}

    def attach(self, model: Network, /) -> None:
        """Hand projection and centres, as they are now, to the network that was trained with them."""
        model.attach_centers(self.projection, self.centers)

    def embed(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n m"]:
        """Projected features.

        Raises:
            ScoreError: another number of features than in the bank.
        """
        if features.shape[1] != self.projection.shape[1]:
            raise ScoreError(
                f"This objective was fitted on {self.projection.shape[1]} features, and these outputs have "
                f"{features.shape[1]}. Fit it on a bank of the network that is trained."
            )
        with torch.autocast(features.device.type, enabled=False):
            weight = wide(self.projection)
            return F.linear(features.to(weight), weight)

    def _cluster(self, inside: Outputs, labels: Int[Tensor, " n"]) -> Float[Tensor, ""]:
        loss = self.loss
        return cluster_focal(
            self.embed(inside.features),
            labels,
            self.centers,
            reading=loss.reading,
            distance=loss.distance,
            temperature=loss.tau,
            gamma=loss.gamma,
            pull=loss.eta,
        )

    def _push_gap(self, outside: Outputs) -> Float[Tensor, " m"]:
        points, loss = self.embed(outside.features), self.loss
        found = representation_score(points, self.centers, distance=loss.distance, temperature=loss.tau)
        return (self.margin_push - found).relu()

    def _energy_gaps(self, inside: Outputs, outside: Outputs) -> tuple[Float[Tensor, " n"], Float[Tensor, " m"]]:
        if inside.logits.shape[1] != len(self.centers):
            raise ScoreError(
                f"There are {len(self.centers)} class centres, and the network has {inside.logits.shape[1]} classes. "
                "Fit the objective on a bank of the network that is trained."
            )
        logits = wide(inside.logits), wide(outside.logits)
        return energy_gaps(*logits, self.loss.margin_in, self.loss.margin_out)


def orthogonal(m: int, d: int, seed: int) -> Float[Tensor, "m d"]:
    """Random, with orthonormal rows, or columns where there are fewer of them."""
    return nn.init.orthogonal_(torch.empty(m, d), generator=torch.Generator().manual_seed(seed))


def class_means(bank: Evidence, projection: Float[Tensor, "m d"], distance: Distance) -> Float[Tensor, "k m"]:
    """Mean embedding of each class; of embeddings of length 1 for cosines."""
    if distance == "euclidean":
        return (bank.moments.means @ projection.double().mT).float()
    sums = projection.new_zeros(len(bank.moments.counts), len(projection), dtype=torch.float64)
    for part in bank.chunks():
        points = part.outputs.features.double() @ projection.double().mT
        sums.index_add_(0, part.labels, F.normalize(points, dim=1))
    return (sums / bank.moments.counts[:, None]).float()


def typical_distance(bank: Evidence, projection: Float[Tensor, "m d"]) -> float:
    """Mean squared distance of embeddings to class means, over all rows and classes."""
    found, weight = bank.moments, projection.double()
    scatter = ((weight @ found.total) * weight).sum()
    offsets = (found.means - found.mean) @ weight.mT
    distance = (scatter + offsets.square().sum(dim=1).mean()).item()
    if not distance > 0:
        raise ScoreError("All features of the bank are the same, so distances mean nothing. Check the weights.")
    return distance
