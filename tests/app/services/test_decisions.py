import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.services.decisions import GRID, common, dial, differ, kept_from, nearest
from oodcore.thresholds import Calibration

CALIBRATION = Calibration(torch.arange(1, 1001, dtype=torch.float64))


def test_the_dial_runs_from_half_to_nearly_all() -> None:
    assert GRID[0] == 0.5
    assert GRID[-1] == 0.995
    assert list(GRID) == sorted(set(GRID))


def test_shares_at_each_setting_are_counted_decisions() -> None:
    known = torch.tensor([1.0, 500.0, 951.5, 1000.0], dtype=torch.float64)
    found = dial(CALIBRATION, known, torch.full((3,), 1e9, dtype=torch.float64))
    at = found.levels.index(0.95)
    assert found.thresholds[at] == CALIBRATION.threshold(0.95) == 951
    assert found.alarms[at] == 0.5
    assert set(found.caught or ()) == {1.0}
    assert found.apart == 1.0


def test_a_small_calibration_split_shortens_the_dial_instead_of_failing() -> None:
    found = dial(Calibration(torch.arange(19, dtype=torch.float64)), torch.zeros(1, dtype=torch.float64), None)
    assert found.levels[-1] == 0.95
    assert found.caught is None
    assert found.apart is None


def test_one_dial_has_the_settings_that_all_checkpoints_have() -> None:
    known, outliers = torch.zeros(3, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    short = dial(Calibration(torch.arange(19, dtype=torch.float64)), known, None)
    long = dial(CALIBRATION, known, outliers)
    one, other = common([long, short])
    assert one.levels == other.levels == short.levels
    assert one.thresholds == long.thresholds[: len(short.levels)]
    assert len(one.alarms) == len(one.caught or ()) == len(short.levels)


@pytest.mark.parametrize(
    ("flags", "found"),
    [([True], False), ([True, True], False), ([False, False, True], True), ([True, False, False], True)],
)
def test_decisions_differ_where_any_checkpoint_differs(flags: list[bool], found: bool) -> None:
    assert differ(flags) is found


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-10, 1100), min_size=1, max_size=8))
def test_a_photo_is_kept_from_its_setting_on_and_never_before(values: list[float]) -> None:
    scores = torch.tensor(values, dtype=torch.float64)
    for score, first in zip(values, kept_from(CALIBRATION, scores, GRID), strict=True):
        one = torch.tensor([score], dtype=torch.float64)
        flags = [bool(CALIBRATION.is_ood(one, level)[0]) for level in GRID]
        assert flags == [index < first for index in range(len(GRID))]


@pytest.mark.parametrize(("wanted", "index"), [(0.95, 90), (0.0, 0), (1.0, 99), (0.9512, 90)])
def test_a_link_is_taken_to_the_nearest_setting(wanted: float, index: int) -> None:
    assert nearest(GRID, wanted) == index
