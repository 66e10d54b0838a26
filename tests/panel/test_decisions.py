"""Calibration belongs to the panel: thresholds, p-values and a decision in one line."""

import dataclasses

import pytest
import torch

from oodcore.errors import ScoreError, UnknownNameError
from oodcore.models.fingerprint import weights_hash
from oodcore.panel import Panel
from oodcore.records import Outputs
from oodcore.thresholds import Calibration


def test_thresholds_and_p_values_are_those_of_each_scorers_scores(setup, outputs: Outputs) -> None:
    panel = Panel(["energy", "knn"]).fit(setup.bank)
    known, found = panel(setup.bank.outputs), panel(outputs)
    ready = panel.calibrate(setup.bank.outputs)
    assert ready.thresholds(0.9) == {name: Calibration(known[name]).threshold(0.9) for name in ("energy", "knn")}
    for name, values in ready.p_values(found).items():
        assert torch.equal(values, Calibration(known[name]).p_values(found[name]))


def test_calibrating_from_scores_keeps_the_others(setup) -> None:
    panel = Panel(["energy", "odin"]).fit(setup.bank).calibrate({"energy": torch.arange(50.0)})
    both = panel.calibrate({"odin": torch.arange(60.0)})
    assert {name: len(calibration) for name, calibration in both.calibrations.items()} == {"energy": 50, "odin": 60}
    assert panel.calibrations.keys() == {"energy"}
    with pytest.raises(UnknownNameError, match="scorer of this panel"):
        panel.calibrate({"enrgy": torch.arange(50.0)})


def test_a_decision_in_one_line(setup) -> None:
    panel = Panel(["energy", "odin"]).fit(setup.bank)
    scores = panel.score(setup.net, setup.images)
    ready = panel.calibrate(scores)
    for name in panel.names:
        expected = scores[name] > ready.thresholds(0.5)[name]
        decided = ready.is_ood(setup.net, setup.images, scorer=name, acceptance=0.5)
        assert decided.dtype == torch.bool
        assert torch.equal(decided, expected)
        assert 0 < int(decided.sum()) < len(decided)


def test_no_decision_without_calibration(setup) -> None:
    panel = Panel(["energy"]).fit(setup.bank)
    with pytest.raises(ScoreError, match="'energy' is not calibrated"):
        panel.is_ood(setup.net, setup.images)
    with pytest.raises(UnknownNameError, match="scorer of this panel"):
        panel.is_ood(setup.net, setup.images, scorer="knn")
    with pytest.raises(ScoreError, match="not calibrated"):
        panel.p_values({"energy": torch.zeros(3)})


def test_a_panel_of_other_weights_is_refused(setup) -> None:
    panel = Panel(["energy"]).fit(setup.bank, about={"weights": weights_hash(setup.net)})
    panel.score(setup.net, setup.images)
    with torch.no_grad():
        setup.net.fc.bias[0] += 1
    with pytest.raises(ScoreError, match="fitted on a network with weights"):
        panel.score(setup.net, setup.images)


def test_a_panel_of_another_preprocessing_is_refused(setup) -> None:
    about = {"preprocessing": setup.net.transform.to_json()}
    panel = Panel(["energy"]).fit(setup.bank, about=about)
    setup.net.transform = dataclasses.replace(setup.net.transform, assumed=True)
    panel.score(setup.net, setup.images)
    setup.net.transform = dataclasses.replace(setup.net.transform, std=(0.2, 0.25, 0.25))
    with pytest.raises(ScoreError, match=r"prepared in another way: std \[0.2, 0.25, 0.5\] then"):
        panel.score(setup.net, setup.images)


def test_statistics_that_do_not_fit_the_rows_are_told(setup, outputs: Outputs) -> None:
    panel = Panel(["mahalanobis"]).fit(setup.bank)
    member = panel.members["mahalanobis"]
    narrow = dataclasses.replace(member, origin=torch.zeros(3, dtype=torch.float64), matrix=member.matrix[:3])
    with pytest.raises(ScoreError, match="'mahalanobis' does not fit these rows"):
        dataclasses.replace(panel, members={"mahalanobis": narrow})(outputs)
