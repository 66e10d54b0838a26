"""Published settings for another checkpoint: what is changed is said, and what is said is changed."""

from dataclasses import replace

import pytest

from oodcore.config import Experiment, read_experiment
from oodcore.data import entry
from oodcore.errors import OODError
from oodcore.jobs.settings import LOSSES, Basis, adapted, auxiliary_beside, differing, evaluation_of, presets

SHAPES = Basis("shapes-resnet20w4", entry("shapes"), "shapes-aux-50", ("shapes-near", "shapes-far"))
CIFAR = Basis("cifar10-resnet20", entry("cifar10-jpeg"), "tin-aux50", ("ood-svhn",))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("basis", [SHAPES, CIFAR])
def test_every_setting_that_is_offered_can_be_adapted(loss: str, basis: Basis) -> None:
    offered = presets(loss, basis)
    assert offered
    for source in [None, *offered]:
        experiment = adapted(basis, loss, source).experiment
        assert experiment.loss == loss
        assert experiment.model.checkpoint == basis.checkpoint
        assert (experiment.data.inliers, experiment.data.outliers) == (basis.inside.name, basis.outliers)
        assert experiment.data.not_tested == basis.tests
        assert experiment.train.steps is not None
        assert experiment.train.steps <= 60
        assert experiment.data.long_tail is None
        warm_up = experiment.loss_options.get("warm_up")
        assert warm_up is None or warm_up < experiment.train.steps


def test_settings_for_this_checkpoint_come_first_and_those_for_other_sets_are_left_out() -> None:
    assert presets("energy", SHAPES)[0] == "shapes-resnet20w4-energy"
    assert presets("energy", CIFAR)[0] == "cifar10-resnet20-energy"
    assert not [name for name in presets("balanced_energy", SHAPES) if name.startswith("cifar100") or "-lt-" in name]
    tail = replace(CIFAR, long_tail=0.01)
    assert all("-lt-" in name for name in presets("balanced_energy", tail))


def test_a_published_setting_with_all_that_was_changed() -> None:
    found = adapted(SHAPES, "balanced_energy", "cifar10-resnet18-balanced-energy")
    published = read_experiment("cifar10-resnet18-balanced-energy")
    assert published.margins is None
    assert found.experiment.margins is not None
    assert found.experiment.margins.alpha_gap == 18.0
    assert not {"margin_in", "margin_out"} & set(found.experiment.loss_options)
    for name in ("alpha", "gamma", "weight"):
        assert found.experiment.loss_options[name] == published.loss_options[name]
    said = " ".join(found.changes)
    assert "It was made for 'cifar10-resnet18'; here it starts from 'shapes-resnet20w4'." in said
    assert "Known images: shapes instead of cifar10." in said
    assert "-23 and -5 belong to another one. Alpha changes with the gap" in said
    assert "60 steps instead of 20 epochs" in said
    assert "Learning rate 0.01 instead of 0.001" in said
    assert found.experiment.notes == found.changes
    assert "Choi et al., CVPR 2023" in found.source


def test_a_setting_of_this_checkpoint_keeps_all_but_its_length() -> None:
    published, found = (
        read_experiment("shapes-resnet20w4-energy"),
        adapted(SHAPES, "energy", "shapes-resnet20w4-energy"),
    )
    assert len(found.changes) == 1
    assert found.changes[0].startswith("60 steps instead of 2 epochs")
    assert found.experiment.margins == published.margins
    assert found.experiment.loss_options == published.loss_options
    assert found.experiment.train == replace(published.train, steps=60)


def test_a_setting_of_another_loss_is_refused() -> None:
    with pytest.raises(OODError, match="another loss, 'energy'"):
        adapted(SHAPES, "outlier_exposure", "shapes-resnet20w4-energy")


def test_outliers_beside_drawn_images_are_drawn() -> None:
    assert [each.name for each in auxiliary_beside(SHAPES.inside)] == ["shapes-aux"]


def test_the_result_is_measured_on_the_test_sets() -> None:
    assert evaluation_of(SHAPES)["id_set"] == "shapes"
    assert evaluation_of(SHAPES)["ood_sets"] == ["shapes-near", "shapes-far"]


def test_only_what_differs_is_told() -> None:
    first = adapted(SHAPES, "energy").experiment
    second = adapted(SHAPES, "energy", "cifar10-wrn-40-2-energy").experiment
    other = Experiment.from_json(first.to_json() | {"train": first.to_json()["train"] | {"lr": 0.5}})
    assert differing({"a": first, "b": first}) == {}
    assert differing({"a": first, "b": other}) == {"train.lr": {"a": 0.01, "b": 0.5}}
    assert "title" not in differing({"a": first, "b": second})
    lost = differing({"a": first, "b": adapted(SHAPES, "outlier_exposure").experiment})
    assert lost["loss.name"] == {"a": "energy", "b": "outlier_exposure"}
    assert set(lost["margins.inside"].values()) == {25.0, None}
