from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from oodcore.checkpoint import Card, load, save
from oodcore.data import ArraySet
from oodcore.data.procedural import procedural
from oodcore.errors import DataError, ScoreError
from oodcore.evaluate import Work
from oodcore.jobs import Measured, Prepared, prepare
from oodcore.jobs.prepare import Ruler
from oodcore.losses.balanced_energy import BalancedEnergyObjective
from oodcore.losses.logit_adjusted import LogitAdjustedObjective
from oodcore.losses.semantic_energy import SemanticEnergyObjective
from oodcore.models import build
from tests.jobs.conftest import World

BALANCED = {"name": "balanced_energy", "alpha": 10.0, "gamma": 0.5}
EVERYTHING = {"inside": 0.0, "outside": 100.0}  # margins that no network gets the wrong way round


def logits(found: Prepared, images: ArraySet) -> Tensor:
    with torch.no_grad():
        return found.model.eval()(found.model.transform.normalise(images.images)).logits


def energies(found: Prepared, images: ArraySet | None) -> np.ndarray:
    assert images is not None
    return -logits(found, images).double().logsumexp(1).numpy()


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """A checkpoint that carries class centres."""
    torch.manual_seed(3)
    model = build("resnet-8-w4", procedural("shapes", "train", count=1).classes).eval()
    model.attach_centers(torch.randn(7, model.head.weight.shape[1]), torch.randn(10, 7))
    return save(tmp_path / "runs" / "first" / "checkpoint", model, Card.of(model, title="Parent"))


def test_margins_are_percentiles_of_energies_on_images_that_are_not_trained_on(world: World) -> None:
    found = prepare(world.experiment(loss={"name": "energy"}, margins={"inside": 10.0, "outside": 90.0}))
    expected = np.percentile(energies(found, found.images.calibration), 10)
    assert found.measured.loss["margin_in"] == pytest.approx(expected, rel=1e-5)
    expected = np.percentile(energies(found, found.images.held_out), 90)
    assert found.measured.loss["margin_out"] == pytest.approx(expected, rel=1e-5)
    assert found.objective.loss.margin_out == found.measured.loss["margin_out"]


def test_alpha_is_scaled_to_the_gap_that_was_found(world: World) -> None:
    loss = prepare(world.experiment(loss=BALANCED, margins={**EVERYTHING, "alpha_gap": 18.0})).measured.loss
    assert loss["alpha"] == pytest.approx(10 * (loss["margin_out"] - loss["margin_in"]) / 18)
    assert prepare(world.experiment(loss=BALANCED, margins=EVERYTHING)).measured.loss["alpha"] == 10


def test_margins_that_are_given_stand_and_nothing_is_measured(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the advice of a network that tells nothing apart says."""
    given = {"margin_in": -9, "margin_out": -4.0}
    crossed = {"inside": 100.0, "outside": 0.0}
    with monkeypatch.context() as patch:
        patch.setattr(Ruler, "bank", None)
        found = prepare(world.experiment(loss={"name": "energy", **given}, margins=crossed)).measured.loss
        assert (found["margin_in"], found["margin_out"]) == (-9.0, -4.0)
    loss = prepare(world.experiment(loss=BALANCED | given, margins={**crossed, "alpha_gap": 18.0})).measured.loss
    assert (loss["margin_in"], loss["margin_out"]) == (-9.0, -4.0)
    assert loss["alpha"] == pytest.approx(10 * 5 / 18)


def test_margins_the_wrong_way_round_are_told_with_advice(world: World) -> None:
    with pytest.raises(ScoreError, match=r"the wrong way round: percentile 100 of in-dist.*Train it longer, or give"):
        prepare(world.experiment(loss={"name": "energy"}, margins={"inside": 100.0, "outside": 0.0}))


def nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*about: object) -> None:
        raise AssertionError("images were read")

    monkeypatch.setattr("oodcore.jobs.images.open_set", read)


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        (
            {"loss": {"name": "outlier_exposure"}},
            r"\[margins\] sets margin_in and margin_out, which 'outlier_exposure'",
        ),
        ({"loss": {"name": "energy"}, "margins": {"alpha_gap": 9.0}}, r"\[margins\] sets alpha, which 'energy' does"),
        ({"loss": {"name": "cross_entropy"}}, "margin_in"),
    ],
)
def test_margins_for_a_loss_without_them_are_refused_before_any_work(
    world: World, monkeypatch: pytest.MonkeyPatch, tables: dict[str, Any], sentence: str
) -> None:
    nothing_is_read(monkeypatch)
    with pytest.raises(DataError, match=sentence):
        prepare(world.experiment(**({"margins": {}} | tables)))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("shapes-near", "OOD test images"),
        ("svhn", "OOD test images"),
        ("fashion-mnist", "OOD test images"),
        ("ood-mnist", "OOD test images"),
        ("cifar100", "in-distribution images"),
        ("shapes", "in-distribution images"),
    ],
)
def test_sets_with_another_role_are_no_auxiliary_outliers(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    nothing_is_read(monkeypatch)
    with pytest.raises(
        DataError, match=rf"'{name}' holds {kind}: .*Choose auxiliary outliers: shapes-aux, random-300k"
    ):
        prepare(world.experiment(data={"outliers": name}))


def test_the_prior_counts_all_outliers_even_where_few_are_trained_on(world: World) -> None:
    found = prepare(world.experiment(loss=BALANCED, data={"outlier_limit": 6}))
    assert found.images.outliers is not None
    assert len(found.images.outliers) == 6
    whole = prepare(world.experiment(loss=BALANCED))
    assert whole.images.outliers is not None
    counts = logits(whole, whole.images.outliers).argmax(1).bincount(minlength=10)
    assert found.measured.prior == whole.measured.prior == counts.tolist()
    assert sum(counts) == 15
    assert isinstance(found.objective, BalancedEnergyObjective)
    assert torch.equal(found.objective.margin_prior, counts.double().sqrt() / counts.double().sqrt().sum())


def test_the_prior_is_counted_only_for_the_loss_that_asks(world: World) -> None:
    assert prepare(world.experiment()).measured.prior is None


def test_logit_adjustment_learns_the_long_tail(world: World) -> None:
    found = prepare(world.experiment(loss={"name": "logit_adjusted"}, data={"long_tail": 0.4, "outliers": None}))
    counts = torch.tensor(list(found.images.inliers.counts.values())).double()
    assert isinstance(found.objective, LogitAdjustedObjective)
    assert torch.allclose(found.objective.lift, (counts / counts.sum()).log(), rtol=1e-12)


def test_fresh_weights_follow_from_the_seed(world: World) -> None:
    first, same, other = (prepare(world.experiment(train={"seed": seed})).model.fc.weight for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_a_fine_tuning_starts_at_its_checkpoint_without_its_class_centres(world: World, parent: Path) -> None:
    found = prepare(world.experiment(model={"architecture": None, "checkpoint": str(parent)}))
    assert torch.equal(found.model.fc.weight, load(parent).fc.weight)
    assert load(parent).centers is not None
    assert found.model.centers is None
    assert found.model.projection is None


def test_a_checkpoint_of_other_classes_is_refused(world: World, parent: Path, packed: Callable[..., Path]) -> None:
    images = procedural("shapes", "train", count=40).keep(["disc", "ring", "star"])
    start = {"architecture": None, "checkpoint": str(parent)}
    with pytest.raises(
        DataError, match=r"knows 10 classes \(disc, ring, square, …\), 'three' shows 3 \(disc, ring, st"
    ):
        prepare(world.experiment(model=start, data={"inliers": str(packed("three", images))}))


@pytest.mark.parametrize(
    ("train", "sentence"),
    [
        ({"batch": 31}, "batch of 31 does not fit 'figures' with its 30 images"),
        ({"outlier_batch": 16}, "batch of 16 does not fit 'alike' with its 15 images"),
    ],
)
def test_batches_that_cannot_be_filled_are_refused_before_anything_is_measured(
    world: World, monkeypatch: pytest.MonkeyPatch, train: dict[str, int], sentence: str
) -> None:
    monkeypatch.setattr(Ruler, "bank", None)
    with pytest.raises(DataError, match=sentence):
        prepare(world.experiment(train=train, loss=BALANCED, margins=EVERYTHING))


@pytest.mark.parametrize(("train", "steps"), [({"steps": 8}, 8), ({"steps": None, "epochs": 2}, 6)])
def test_a_warm_up_that_never_ends_is_refused_before_anything_is_measured(
    world: World, monkeypatch: pytest.MonkeyPatch, train: dict[str, Any], steps: int
) -> None:
    """Outliers would be shown, and never count."""
    with monkeypatch.context() as patch:
        patch.setattr(Ruler, "bank", None)
        for warm_up in (steps, 390):
            loss = {"name": "semantic_energy", "warm_up": warm_up}
            sentence = rf"for its first {warm_up} steps, and the run has {steps}: .*set loss.warm_up lower, as 1\."
            with pytest.raises(DataError, match=sentence):
                prepare(world.experiment(train=train, loss=loss, margins=EVERYTHING))
    loss = {"name": "semantic_energy", "width": 8, "warm_up": steps - 1}
    assert prepare(world.experiment(train=train, loss=loss, margins=EVERYTHING)).measured.loss["warm_up"] == steps - 1


@pytest.mark.parametrize(
    ("train", "warm_up"),
    [({"steps": 11}, 2), ({"steps": None, "epochs": 4}, 2), ({"steps": 3}, 0), ({"steps": 2000}, 371)],
)
def test_the_usual_warm_up_is_at_most_a_fifth_of_the_run(world: World, train: dict[str, Any], warm_up: int) -> None:
    loss = {"name": "semantic_energy", "width": 8}
    assert prepare(world.experiment(train=train, loss=loss, margins=EVERYTHING)).measured.loss["warm_up"] == warm_up


def test_what_a_loss_leaves_to_its_usual_numbers_is_noted_as_used(world: World) -> None:
    loss = {"name": "semantic_energy", "width": 8}
    used = prepare(world.experiment(loss=loss, margins=EVERYTHING)).measured.loss
    assert (used["temperature"], used["pull"], used["margin_push"]) == (0.1, 0.5, 1.0)
    used = prepare(world.experiment(loss=loss | {"distance": "euclidean"}, margins=EVERYTHING)).measured.loss
    assert (used["temperature"], used["pull"]) == (1.0, 0.05)
    assert prepare(world.experiment(loss=BALANCED, margins=EVERYTHING)).measured.loss["gamma_weight"] == 0.5


def test_what_only_fresh_weights_take_is_refused_beside_a_checkpoint(world: World, parent: Path) -> None:
    start = {"architecture": None, "checkpoint": str(parent), "options": {"dropout": 0.1}, "std": [0.5, 0.5, 0.5]}
    with pytest.raises(DataError, match=r"\[model\] options and std would be left unused: they describe fresh weights"):
        prepare(world.experiment(model=start))


def test_few_outliers_by_ones_own_limit_are_refused(world: World) -> None:
    with pytest.raises(DataError, match="batch of 4 does not fit 'alike' with its 3 images"):
        prepare(world.experiment(data={"outlier_limit": 3}))


def test_processes_that_cannot_share_a_batch_are_told(world: World) -> None:
    with pytest.raises(DataError, match="Batches of 8 and 4 cannot be shared by 3 parts"):
        prepare(world.experiment(), processes=3)


def test_an_overlap_with_a_test_set_is_refused_before_anything_is_measured(
    world: World, packed: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ruler, "bank", None)
    test = packed("far", procedural("shapes-aux", "train", count=30).take(slice(4, 5)))
    with pytest.raises(DataError, match="1 images of 'far' are also among the training outliers 'alike'"):
        prepare(world.experiment(data={"not_tested": [str(test)]}, loss=BALANCED, margins=EVERYTHING))


def test_what_is_known_is_not_measured_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = world.experiment(loss=BALANCED, margins={**EVERYTHING, "alpha_gap": 18.0})
    first = prepare(experiment)
    monkeypatch.setattr(Ruler, "bank", None)
    second = prepare(experiment, known=Measured.from_json(asdict(first.measured)))
    assert second.measured == first.measured
    assert isinstance(first.objective, BalancedEnergyObjective)
    assert isinstance(second.objective, BalancedEnergyObjective)
    assert second.objective.loss == replace(first.objective.loss, gamma_weight=0.5)  # as it was used
    assert torch.equal(second.objective.margin_prior, first.objective.margin_prior)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_class_centres_are_not_collected_again(world: World, distance: str) -> None:
    loss = {"name": "semantic_energy", "distance": distance, "width": 8, "warm_up": 0}
    experiment, seen = world.experiment(loss=loss, margins=EVERYTHING), []
    first = prepare(experiment)
    assert isinstance(first.objective, SemanticEnergyObjective)
    assert first.measured.loss["margin_push"] == first.objective.margin_push
    work = Work(progress=lambda stage, done, total: seen.append(total))
    second = prepare(experiment, work=work, known=first.measured)
    assert isinstance(second.objective, SemanticEnergyObjective)
    assert second.objective.margin_push == first.objective.margin_push
    assert second.objective.centers.shape == first.objective.centers.shape
    assert seen == [10]  # one image per class, for the shapes alone


def test_a_run_goes_on_only_with_the_images_it_began_with(world: World) -> None:
    known = prepare(world.experiment()).measured
    with pytest.raises(DataError, match=r"'figures/train' is not what it was when this run began. Bring those"):
        prepare(world.experiment(data={"long_tail": 0.4}), known=known)


def test_measurements_that_are_damaged_are_told() -> None:
    with pytest.raises(DataError, match="measured for this run is damaged"):
        Measured.from_json({"lost": 1})


def test_a_fresh_network_takes_the_size_and_coding_of_its_images(world: World, packed: Callable[..., Path]) -> None:
    images = procedural("shapes", "train", count=60)
    small = packed(
        "small", ArraySet(images.images[:, :, 4:28, 4:28], images.labels, images.keys, classes=images.classes)
    )
    found = prepare(world.experiment(data={"inliers": str(small)}))
    assert found.model.transform.size == 24
    assert found.images.inliers.images.shape[2:] == (24, 24)
    assert found.images.outliers is not None
    assert found.images.outliers.images.shape[2:] == (24, 24)
