"""Experiments are files: every recipe can be read, and whatever a file says wrongly is told in a sentence."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oodcore.config import RECIPES, Experiment, overridden, read_experiment, recipes, with_seed
from oodcore.data import entry
from oodcore.errors import DataError, OODError, ScoreError, UnknownNameError

SMALL: dict[str, Any] = {
    "title": "A small one",
    "model": {"architecture": "resnet-20-w4"},
    "data": {"inliers": "shapes", "outliers": "shapes-aux"},
    "loss": {"name": "balanced_energy", "alpha": 3},
    "train": {"steps": 3},
}

every_recipe = pytest.mark.parametrize("name", recipes())


def changed(*changes: str) -> Experiment:
    return Experiment.from_json(overridden(SMALL, changes))


@every_recipe
def test_every_recipe_can_be_read_and_comes_back_from_json(name: str) -> None:
    experiment = read_experiment(name)
    assert Experiment.from_json(json.loads(json.dumps(experiment.to_json()))) == experiment
    assert experiment.title
    assert experiment.source
    assert entry(experiment.data.inliers).role == "id"
    if experiment.data.outliers is not None:
        assert entry(experiment.data.outliers).role == "auxiliary"


@every_recipe
def test_every_recipe_starts_from_scratch_or_from_what_another_recipe_makes(name: str) -> None:
    experiment = read_experiment(name)
    if experiment.model.checkpoint is None:
        return
    before = read_experiment(experiment.model.checkpoint)
    assert before.model.checkpoint is None
    assert before.loss == "cross_entropy"
    assert (before.data.inliers, before.data.long_tail) == (experiment.data.inliers, experiment.data.long_tail)


@every_recipe
def test_margins_that_are_measured_are_asked_for_where_the_loss_has_some(name: str) -> None:
    experiment = read_experiment(name)
    fixed = {"margin_in", "margin_out"} <= set(experiment.loss_options)
    if hasattr(experiment.make_loss(), "margin_in"):
        assert fixed != (experiment.margins is not None)
    else:
        assert experiment.margins is None


@pytest.mark.parametrize("name", sorted(path.name for path in RECIPES.glob("*wrn-40-2*.toml")))
def test_published_settings_of_wide_resnets(name: str) -> None:
    experiment = read_experiment(name.removesuffix(".toml"))
    train, options = experiment.train, experiment.loss_options
    assert (train.batch, train.momentum, train.weight_decay, train.lr_end) == (128, 0.9, 5e-4, 1e-6)
    if experiment.model.architecture is not None:
        assert (train.epochs, train.lr, experiment.model.options) == (100, 0.1, {"dropout": 0.3})
        return
    assert (train.epochs, train.lr) == (20 if experiment.loss == "balanced_energy" else 10, 1e-3)
    assert (train.outlier_batch, experiment.data.outliers) == (256, "random-300k")
    if experiment.loss != "outlier_exposure":
        known = {"cifar10": (-23, -5), "cifar100": (-27, -5)}
        assert (options["margin_in"], options["margin_out"]) == known[experiment.data.inliers]


def test_the_six_settings_of_balanced_energy_are_the_released_ones() -> None:
    found = {
        name.removesuffix("-balanced-energy"): read_experiment(name)
        for name in recipes()
        if name.endswith("-balanced-energy") and read_experiment(name).data.outliers == "random-300k"
    }
    assert {name: (each.loss_options["alpha"], each.loss_options["gamma"]) for name, each in found.items()} == {
        "cifar10-resnet18": (10, 0.05),
        "cifar100-resnet18": (100, 0.005),
        "cifar10-lt-resnet18": (10, 0.75),
        "cifar100-lt-resnet18": (100, 0.75),
        "cifar10-lt-wrn-40-2": (10, 0.5),
        "cifar100-lt-wrn-40-2": (100, 0.5),
    }
    for each in found.values():
        assert (each.train.epochs, each.data.outlier_limit, each.data.split) == (20, 30_000, "train")
        assert each.notes


def test_own_fine_tunings_share_one_budget() -> None:
    found = [
        read_experiment(name) for name in recipes() if name.startswith(("cifar10-resnet20-", "cifar10-lt-resnet20-"))
    ]
    assert len(found) == 16
    assert {(each.train, each.data.outliers, each.validation.every) for each in found} == {
        (found[0].train, "tin-aux50", 60)
    }
    assert (found[0].train.steps, found[0].train.lr, found[0].train.batch, found[0].train.outlier_batch) == (
        120,
        0.01,
        128,
        256,
    )
    assert found[0].train.precision == "32-true"


def test_alpha_is_scaled_where_the_name_says_so() -> None:
    gaps = {name: each.margins.alpha_gap for name in recipes() if (each := read_experiment(name)).margins is not None}
    drawn = {f"shapes-resnet20w4-{loss}" for loss in ("energy-control", "balanced-energy")}  # there is no other scale
    scaled = {name for name in gaps if name.endswith("-scaled")}
    assert {name for name, gap in gaps.items() if gap is not None} == scaled | drawn
    assert {gap for gap in gaps.values() if gap is not None} == {-5.0 - -23.0}


def test_the_recipes_lie_in_the_package() -> None:
    assert Path(sys.modules["oodcore"].__file__ or "").parent == RECIPES.parent
    assert {path.suffix for path in RECIPES.iterdir()} == {".toml"}


def test_an_unknown_recipe_is_answered_with_a_likely_one() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'cifar10-resnet20'"):
        read_experiment("cifar10-resnet2")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("train.leraning_rate=1", "No key of [train] is called 'leraning_rate'."),
        ("train.stesp=1", "Did you mean 'steps'?"),
        ("training.steps=1", "No table is called 'training'. Did you mean 'train'?"),
        ("data.outlier=tin-aux50", "Did you mean 'outliers'?"),
        ("loss.alhpa=1", "No option of balanced_energy is called 'alhpa'. Did you mean 'alpha'?"),
        ("loss.name=enrgy", "No loss is called 'enrgy'. Did you mean 'energy'?"),
    ],
)
def test_an_unknown_key_is_answered_with_a_likely_one(change: str, sentence: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        changed(change)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("train.lr=fast", "train.lr cannot be 'fast'; expected a number."),
        ("train.steps=1.5", "train.steps cannot be 1.5; expected a whole number."),
        ("train.flip=1", "train.flip cannot be 1; expected true or false."),
        ("train.lr=true", "train.lr cannot be True; expected a number."),
        ("train.batch_norm=5", "expected one of 'joint', 'separate', 'frozen'"),
        ("data.not_tested=[1]", "expected a list, each text"),
        ("data.not_tested=tin25", "expected a list, each text"),
        ("model.mean=[0.5, 0.5]", "expected 3 numbers"),
        ("model.options.dropout=high", "expected a table"),
        ("loss.alpha=big", "loss.alpha cannot be 'big'; expected a number."),
        ("title=3", "title cannot be 3; expected text."),
        ("notes=one", "expected a list, each text"),
        ("train=1", "A table [train] is needed."),
        ("title.x=1", "title is no table"),
        ("train.lr", "A change reads table.key=value, as train.lr=0.01; got 'train.lr'."),
        ("train.=1", "A change reads table.key=value"),
    ],
)
def test_a_value_of_another_kind_is_told(change: str, sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        changed(change)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ("train.lr=0", DataError, "lr must be above 0"),
        ("train.lr=nan", DataError, "lr must be above 0"),
        ("train.steps=0", DataError, "steps must be at least 1"),
        ("train.momentum=1", DataError, "momentum must lie in 0 to below 1"),
        ("train.trainable=head", DataError, "one of 'all', 'norms+head'"),
        ("data.outlier_limit=0", DataError, "outlier_limit must be at least 1"),
        ("validation.every=0", DataError, "every must be at least 1"),
        ("validation.limit=1", DataError, "limit at least 2"),
        ("margins.inside=101", DataError, "percentiles from 0 to 100"),
        ("margins.alpha_gap=0", DataError, "alpha_gap must be above 0; got 0"),
        ("margins.alpha_gap=inf", DataError, "alpha_gap must be above 0"),
        ("loss.alpha=-1", ScoreError, "alpha must be 0 or more; got -1."),
        ("loss.gamma=-0.5", ScoreError, "gamma must be 0 or more; got -0.5."),
        ("loss.margin_in=-4", ScoreError, "margin_in must lie below margin_out"),
        ("model.checkpoint=x", DataError, "either an architecture (fresh weights) or a checkpoint"),
    ],
)
def test_a_value_out_of_its_range_is_told(change: str, error: type[OODError], sentence: str) -> None:
    with pytest.raises(error) as caught:
        changed(change)
    assert sentence in str(caught.value)


def test_a_loss_against_outliers_needs_some() -> None:
    without = {**SMALL, "data": {"inliers": "shapes"}}
    with pytest.raises(DataError, match="'balanced_energy' needs auxiliary outliers"):
        Experiment.from_json(without)


def test_changes_reach_every_table_and_leave_the_source_alone() -> None:
    before = json.dumps(SMALL)
    found = changed(
        "train.lr=0.25", "loss.alpha = 7", "data.outliers='shapes-aux-50'", "title=Another one",
        "model.options.dropout=0.5", "margins.outside=90", "data.not_tested=[]",
    )  # fmt: skip
    assert json.dumps(SMALL) == before
    assert (found.train.lr, found.train.steps) == (0.25, 3)
    assert found.make_loss().alpha == 7.0  # type: ignore[attr-defined]
    assert (found.data.outliers, found.data.not_tested, found.title) == ("shapes-aux-50", (), "Another one")
    assert found.model.options == {"dropout": 0.5}
    assert found.margins is not None
    assert (found.margins.inside, found.margins.outside) == (25.0, 90.0)


def test_whole_numbers_stand_for_fractions() -> None:
    assert math.isclose(changed("train.lr=1").train.lr, 1.0)
    assert isinstance(changed("train.lr=1").train.lr, float)


def test_another_seed_is_the_same_run_otherwise() -> None:
    one = changed()
    two = with_seed(one, 5)
    assert two.train.seed == 5
    assert with_seed(two, one.train.seed) == one


def test_a_file_of_ones_own_and_its_faults_are_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[model]\narchitecture = "resnet-20-w4"\n[data]\ninliers = "shapes"\n', "utf-8")
    assert read_experiment(path, ["train.steps=9"]).train.steps == 9
    with pytest.raises(UnknownNameError, match=r"mine\.toml: No key of \[train\]"):
        read_experiment(path, ["train.sped=9"])
    path.write_text("[model\n", "utf-8")
    with pytest.raises(DataError, match="no readable TOML"):
        read_experiment(path)
    with pytest.raises(DataError, match="There is no file"):
        read_experiment(tmp_path / "gone.toml")


def test_reading_an_experiment_needs_neither_pydantic_nor_lightning() -> None:
    code = (
        "import sys; sys.modules['pydantic'] = None\n"
        "from oodcore.config import read_experiment; read_experiment('cifar10-resnet20')\n"
        "print('lightning' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert found.stdout == "False\n"
