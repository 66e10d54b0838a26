"""Words for settings."""

import re
from dataclasses import fields

import pytest

from app.widgets import settings
from oodcore.jobs.settings import LOSSES
from oodcore.losses import losses


@pytest.mark.parametrize("loss", losses)
def test_every_loss_and_every_number_of_it_has_a_title(loss: str) -> None:
    assert loss in settings.LOSSES
    assert [each.name for each in fields(losses[loss]) if f"loss.{each.name}" not in settings.TITLES] == []


def test_gamma_is_called_what_it_does() -> None:
    assert "prior" in settings.title("loss.gamma", "balanced_energy")
    assert settings.title("loss.gamma", "semantic_energy") == "Focus on far images"
    assert settings.title("loss.gamma") == "Gamma"  # of two losses


def test_what_has_no_words_of_its_own_is_called_by_its_name() -> None:
    assert settings.title("train.seed") == "Seed"
    assert settings.title("options.dropout") == "Dropout"
    assert settings.title("options.drop_path") == "drop path"
    assert settings.title("train.magic") == "train.magic"
    assert settings.told("options.drop_path")
    assert not settings.told("train.seed")  # it follows from the seed


@pytest.mark.parametrize("loss", LOSSES)
def test_every_number_of_the_form_says_what_it_does(loss: str) -> None:
    places = [f"loss.{each.name}" for each in fields(losses[loss])]
    for place in [*places, "train.steps", "train.ema", "train.pad", "train.precision", "margins.alpha_gap"]:
        said = settings.sentence(place, loss)
        assert len(said) > 40, place
        assert said.endswith(".")
        assert not re.search(r"`|None|True|False|process|_(?!\{)", said.replace("$m_", "")), said


def test_the_same_number_says_something_else_under_another_loss() -> None:
    assert "crowd" in settings.sentence("loss.gamma", "balanced_energy")
    assert "centre" in settings.sentence("loss.gamma", "semantic_energy")
    assert "0.5 is published" in settings.sentence("loss.weight", "outlier_exposure")


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        (
            "lr must be above 0 and lr_end between 0 and lr; got 0 and 1e-06.",
            "“Learning rate” must be above 0 and “Learning rate at the end” between 0 and “Learning rate”; got 0 and "
            "1e-06.",
        ),
        ("weight must be 0 or more; got -1.", "“Weight of the outlier term” must be 0 or more; got -1."),
        ("gamma must be 0 or more; got -1.", "“Gamma, power of the prior” must be 0 or more; got -1."),
        (
            "Train longer, or set loss.warm_up lower, as 4.",
            "Train longer, or set “Warm-up steps” lower, as 4.",
        ),
        ("Its weight is that of a batch; it must go.", "Its weight is that of a batch; it must go."),
    ],
)
def test_a_sentence_of_the_code_takes_the_words_of_the_page(sentence: str, said: str) -> None:
    assert settings.worded(sentence, "balanced_energy") == said
