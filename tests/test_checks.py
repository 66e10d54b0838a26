from dataclasses import dataclass

import numpy as np
import pytest
import torch

from oodcore import checks
from oodcore.checks import Finding

RNG = np.random.default_rng(0)
ID, OOD = RNG.normal(size=2000), RNG.normal(1, 1, 2000)


@dataclass(frozen=True)
class Prepared:
    size: int = 32
    assumed: bool = False


def told(finding: Finding | None, code: str) -> Finding:
    assert finding is not None
    assert finding.code == code
    assert finding.advice.endswith(".")
    return finding


def test_ood001_scores_that_tie_by_saturation() -> None:
    saturated = np.minimum(ID, 1.0)
    finding = told(checks.ties(saturated, OOD), "OOD001")
    assert finding.severity == "warning"
    count = int((saturated == 1.0).sum())
    assert f"{count} of 4,000" in finding.sentence


def test_ood001_many_small_ties_are_only_noted() -> None:
    assert told(checks.ties(np.repeat(ID, 2), OOD), "OOD001").severity == "note"


def test_ood001_is_silent_up_to_one_percent() -> None:
    assert checks.ties(ID, OOD) is None
    few = ID.copy()
    few[:40] = few[0]
    assert checks.ties(few, OOD) is None
    few[:41] = few[0]
    assert checks.ties(few, OOD) is not None


def test_ood002_a_flipped_sign() -> None:
    finding = told(checks.below_chance(-ID, -OOD), "OOD002")
    assert finding.severity == "warning"
    assert "check the sign" in finding.advice
    assert checks.below_chance(ID, OOD) is None


def test_ood002_below_one_half_by_chance_is_only_noted() -> None:
    inside, ood = np.arange(20.0), np.arange(20.0) - 0.25
    assert told(checks.below_chance(inside, ood), "OOD002").severity == "note"


def test_ood003_outliers_of_a_trained_class_in_any_spelling() -> None:
    finding = told(checks.trained_classes(["cat", "Traffic Light", "dog"], ["traffic_light", "CAT", "zebra"]), "OOD003")
    assert "2 classes" in finding.sentence
    assert "CAT, traffic_light" in finding.sentence
    assert checks.trained_classes(["cat"], ["zebra", "caterpillar"]) is None


def test_ood004_fewer_than_a_thousand_outliers() -> None:
    finding = told(checks.few_outliers(250), "OOD004")
    assert "250 outliers" in finding.sentence
    assert "0.40%" in finding.sentence
    assert checks.few_outliers(1000) is None


def test_ood005_aupr_without_or_across_shares() -> None:
    assert "1 of 2" in told(checks.aupr_share([0.5, None]), "OOD005").sentence
    assert "from 16.7% to 50.0%" in told(checks.aupr_share([0.5, 1 / 6, 0.5]), "OOD005").sentence
    assert checks.aupr_share([0.5, 0.5]) is None
    assert checks.aupr_share([]) is None


def test_ood006_a_bank_too_small_for_a_covariance() -> None:
    assert "2,560" in told(checks.small_bank(2559, 512), "OOD006").sentence
    assert checks.small_bank(2560, 512) is None


def test_ood007_guessed_preprocessing_or_another_than_the_card() -> None:
    assert "assumed" in told(checks.unsure_preprocessing(Prepared(assumed=True)), "OOD007").sentence
    assert "size=224" in told(checks.unsure_preprocessing(Prepared(), Prepared(size=224)), "OOD007").sentence
    assert checks.unsure_preprocessing(Prepared()) is None
    assert checks.unsure_preprocessing(Prepared(), Prepared()) is None


def test_ood008_empty_classes_weigh_nothing_or_at_gamma_0_as_much_as_all_others() -> None:
    counts = torch.tensor([5, 0, 3, 0])
    assert "2 of 4 classes" in told(checks.prior_zeros(counts, 0.75), "OOD008").sentence
    uniform = told(checks.prior_zeros(counts, 0.0), "OOD008")
    assert "2 of 4 classes, which weigh as much as all others at gamma = 0 (0^0 = 1)" in uniform.sentence
    kept = told(checks.prior_zeros(counts, 0.0, zero_stays_zero=True), "OOD008")
    assert kept.sentence.endswith("whose weight stays 0 at gamma = 0.")
    for gamma in (0.0, 0.75):
        assert checks.prior_zeros(counts + 1, gamma) is None


def test_ood009_test_outliers_that_were_trained_on() -> None:
    finding = told(checks.shared_images(["a", "b", "c"], {"svhn": ["x"], "dtd": ["b", "c", "y"]}), "OOD009")
    assert finding.severity == "error"
    assert "2 in dtd" in finding.sentence
    assert "svhn" not in finding.sentence
    assert checks.shared_images(["a"], {"svhn": ["x"]}) is None


def test_scores_are_asked_every_question_that_they_can_answer() -> None:
    assert checks.examine(ID, OOD) == ()
    codes = [finding.code for finding in checks.examine(np.ones(300), np.zeros(300))]
    assert codes == ["OOD001", "OOD002", "OOD004"]


def test_a_finding_reads_as_one_line() -> None:
    assert str(Finding("OOD004", "note", "Few.", "Take more.")) == "OOD004 (note): Few. Take more."


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_outliers_still_make_a_sentence(count: int) -> None:
    assert "100.00%" in told(checks.few_outliers(count), "OOD004").sentence
