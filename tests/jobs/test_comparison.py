"""Before and after, on disk and back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oodcore.errors import DataError
from oodcore.jobs.comparison import Change, Comparison, Side
from oodcore.report import Convention


def side(auroc: float, alarms: float, accuracy: float | None = 0.9) -> Side:
    values = {"auroc": auroc, "fpr95_ood_positive": alarms, "fpr95_id_positive": alarms / 2}
    return Side(accuracy, {"shapes": [-9.0, -8.5], "shapes-far": [-3.0, -2.0, -1.0]}, {"shapes-far": values})


@pytest.fixture
def comparison() -> Comparison:
    return Comparison(side(0.8, 0.6), side(0.9, 0.7, 0.88), Convention())


def test_what_is_written_is_read(comparison: Comparison, tmp_path: Path) -> None:
    comparison.write(tmp_path / "it.json")
    again = Comparison.read(tmp_path / "it.json")
    assert again == comparison
    assert (again.id_set, again.ood_sets) == ("shapes", ["shapes-far"])
    assert np.array_equal(again.energies("after", "shapes-far"), [-3.0, -2.0, -1.0])


def test_changes_know_their_direction(comparison: Comparison) -> None:
    found = {change.name: change for change in comparison.changes("shapes-far")}
    assert list(found) == ["AUROC", "FPR95 (OOD positive, first)", "FPR95 (ID positive, first)", "Accuracy"]
    assert found["AUROC"].delta == pytest.approx(0.1)
    assert [change.better for change in found.values()] == [True, False, False, False]
    assert Change("same", 0.5, 0.5, rising=False).better is None


def test_without_an_accuracy(comparison: Comparison) -> None:
    names = [change.name for change in replace(comparison, before=side(0.8, 0.6, None)).changes("shapes-far")]
    assert "Accuracy" not in names


@pytest.mark.parametrize("content", ["", "[]", '{"before": {}}', '{"before": 3, "after": 4, "convention": {}}'])
def test_damaged_ones_are_a_sentence(content: str, tmp_path: Path) -> None:
    (tmp_path / "it.json").write_text(content)
    with pytest.raises(DataError, match=r"cannot be read\. Run it again"):
        Comparison.read(tmp_path / "it.json")
