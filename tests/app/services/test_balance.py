"""Crowding and margin of one picture."""

import pytest
import torch

from app.services import resources
from app.services.balance import balance
from app.services.resources import Answer
from oodcore.checkpoint import folder_of
from oodcore.losses.balanced_energy import BalancedEnergy

NAME = "shapes-resnet20w4"


def answer(shown: resources.Exhibit, row: int) -> Answer:
    outputs = shown.reference["shapes"].outputs
    logits = outputs.logits[row]
    return Answer(logits.softmax(0), outputs.features[row], {"energy": -float(logits.logsumexp(0))})


@pytest.mark.parametrize("row", [0, 400, 999])
def test_they_are_those_of_the_training(row: int) -> None:
    """The margin is where the hinge of the loss begins to rest."""
    shown = resources.exhibit(folder_of(f"{NAME}-balanced"))
    assert shown.model.card is not None
    recipe = shown.model.card.recipe
    loss = {name: value for name, value in recipe["loss"].items() if name != "name"}
    objective = BalancedEnergy(**loss).fit(recipe["outlier_prior"])
    found = balance(shown, answer(shown, row))
    assert found is not None
    logits = shown.reference["shapes"].outputs.logits[row : row + 1].double()
    assert objective.pushed(logits - (found.margin - 1e-4 + float(logits.logsumexp(1)))).tolist() == [True]
    assert objective.pushed(logits - (found.margin + 1e-4 + float(logits.logsumexp(1)))).tolist() == [False]
    assert found.margin == pytest.approx(loss["margin_out"] + loss["alpha"] * found.crowding)
    assert found.alike == pytest.approx(0.1)


def test_networks_of_other_losses_have_none() -> None:
    for name in (NAME, f"{NAME}-energy"):
        shown = resources.exhibit(folder_of(name))
        assert balance(shown, answer(shown, 0)) is None
    shown = resources.exhibit(folder_of(f"{NAME}-balanced"))
    assert balance(shown, Answer(torch.full((10,), 0.1), torch.zeros(2), {})) is None
