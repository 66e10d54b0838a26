from dataclasses import fields

import pytest

from oodcore.errors import DataError
from oodcore.train.recipe import Recipe


def test_the_defaults_are_those_of_energy_fine_tuning() -> None:
    recipe = Recipe()
    assert (recipe.epochs, recipe.lr, recipe.lr_end, recipe.momentum, recipe.weight_decay) == (
        10,
        1e-3,
        1e-6,
        0.9,
        5e-4,
    )
    assert (recipe.batch, recipe.outlier_batch, recipe.pad, recipe.flip, recipe.batch_norm) == (
        128,
        256,
        4,
        True,
        "joint",
    )
    assert recipe.steps is None
    assert recipe.ema == 0
    assert recipe.accumulate == 1


def test_every_setting_is_described() -> None:
    assert Recipe.__doc__ is not None
    assert [field.name for field in fields(Recipe) if f"        {field.name}: " not in Recipe.__doc__] == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"epochs": 0}, "epochs must be at least 1; got 0"),
        ({"steps": 0}, "steps must be at least 1; got 0"),
        ({"batch": 0}, "batch must be at least 1; got 0"),
        ({"outlier_batch": -1}, "outlier_batch must be at least 1; got -1"),
        ({"accumulate": 0}, "accumulate must be at least 1; got 0"),
        ({"lr": 0.0}, "lr must be above 0"),
        ({"lr": float("nan")}, "lr must be above 0"),
        ({"lr": float("inf")}, "lr must be above 0"),
        ({"lr_end": -1e-6}, "lr_end between 0 and lr"),
        ({"lr_end": 0.1}, "lr_end between 0 and lr; got 0.001 and 0.1"),
        ({"lr_end": float("nan")}, "lr_end between 0 and lr"),
        ({"momentum": 1.0}, "momentum must lie in 0 to below 1; got 1"),
        ({"momentum": -0.1}, "momentum must lie in 0 to below 1"),
        ({"ema": 1.0}, "ema must lie in 0 to below 1"),
        ({"ema": float("nan")}, "ema must lie in 0 to below 1"),
        ({"weight_decay": -1e-4}, "weight_decay and pad must be 0 or more"),
        ({"weight_decay": float("inf")}, "weight_decay and pad must be 0 or more"),
        ({"pad": -1}, "weight_decay and pad must be 0 or more"),
        ({"accumulate": 3}, "accumulate must divide both batches; got 3 for 128 and 256"),
        ({"accumulate": 2, "outlier_batch": 5}, "accumulate must divide both batches; got 2 for 128 and 5"),
    ],
)
def test_settings_out_of_their_range_are_refused(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        Recipe(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"batch_norm": "mixed"}, "batch_norm must be one of joint, separate, frozen; got 'mixed'"),
        ({"trainable": "head"}, r"trainable must be one of all, norms\+head; got 'head'"),
        ({"precision": "16"}, "precision must be one of 32-true, bf16-mixed, 16-mixed; got '16'"),
    ],
)
def test_an_unknown_choice_is_told(settings: dict[str, object], sentence: str) -> None:
    """Behind the type checker's back, which refuses it before."""
    recipe = Recipe()
    for name, value in settings.items():
        object.__setattr__(recipe, name, value)
    with pytest.raises(DataError, match=sentence):
        recipe.__post_init__()


@pytest.mark.parametrize(
    "settings", [{"steps": 1}, {"momentum": 0.0}, {"lr_end": 0.0}, {"lr_end": 1e-3}, {"ema": 0.999}]
)
def test_the_ends_of_the_ranges_are_allowed(settings: dict[str, float]) -> None:
    assert Recipe(**settings) != Recipe()  # type: ignore[arg-type]
