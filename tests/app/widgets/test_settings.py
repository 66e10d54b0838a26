"""Words for settings."""

from dataclasses import fields

import pytest

from app.widgets import settings
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
