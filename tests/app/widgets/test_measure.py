"""Which images a checkpoint can be measured on, by what its card says."""

from dataclasses import replace
from typing import Any

import pytest

from app.services import resources
from app.widgets.measure import _id_sets
from oodcore.checkpoint import read_card


@pytest.mark.parametrize("told", [{"name": "shapes"}, "shapes", None, {}])
def test_the_set_of_the_thresholds_is_found_however_a_card_notes_it(told: Any) -> None:
    card = read_card(resources.folders()["shapes-resnet20w4"])
    found = _id_sets(replace(card, thresholds={"calibration": told}))
    assert "shapes" in [entry.name for entry in found]
    if told:
        assert found[0].name == "shapes"
