"""Fits and calls: the panel adds nothing to what its scorers give alone."""

from dataclasses import replace

import pytest
import torch

from oodcore.errors import ScoreError, UnknownNameError
from oodcore.panel import Panel
from oodcore.records import Moments, Outputs, moments
from oodcore.scorers import scorers
from oodcore.scorers.knn import KNN
from oodcore.scorers.react import ReAct

FREE = [name for name in scorers.names() if "gradients" not in scorers[name].info.needs]
LEARNING = ["mahalanobis", "relative_mahalanobis", "knn", "vim", "residual", "she", "fdbd", "nnguide", "nci"]


def test_every_score_is_the_scorers_own_to_the_last_bit(setup, outputs: Outputs, same) -> None:
    panel = Panel(FREE).fit(setup.bank)
    same(panel(outputs), {name: scorers[name]().fit(setup.bank)(outputs) for name in FREE})


def test_a_shaping_step_leads_to_the_scorer_after_the_plus(setup, outputs: Outputs) -> None:
    panel = Panel(["react+msp", "react", "msp"]).fit(setup.bank)
    found = panel(outputs)
    assert torch.equal(found["react+msp"], ReAct(then="msp").fit(setup.bank)(outputs))
    assert not torch.equal(found["react+msp"], found["react"])
    assert panel.settings["react+msp"] == {"scorer": "react", "keep": 0.9, "then": "msp"}


def test_scorers_with_numbers_and_names_of_ones_own(setup, outputs: Outputs) -> None:
    panel = Panel({"near": KNN(1), "far": KNN(100), "usual": "knn"}).fit(setup.bank)
    found = panel(outputs)
    assert panel.names == ("near", "far", "usual")
    assert (found["near"] < found["usual"]).all()
    assert (found["usual"] < found["far"]).all()
    assert Panel([KNN(7), ReAct(then="msp"), "energy"]).names == ("knn", "react+msp", "energy")


def test_moments_are_computed_once_for_all(setup, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(bank: object) -> Moments:
        calls.append(bank)
        return moments(bank)

    monkeypatch.setattr("oodcore.records.moments", counted)
    Panel(LEARNING).fit(replace(setup.bank))
    assert len(calls) == 1


def test_without_a_bank_only_what_does_not_learn(outputs: Outputs) -> None:
    assert Panel(["energy", "msp"]).fit()(outputs).keys() == {"energy", "msp"}
    with pytest.raises(ScoreError, match="'knn' cannot be fitted"):
        Panel(["energy", "knn"]).fit()


def test_what_is_missing_is_told_with_the_scorers_name(setup) -> None:
    bare = replace(setup.bank, outputs=setup.bank.outputs._replace(norms=None, embeddings=None))
    with pytest.raises(ScoreError, match=r"'feature_norm' needs the norms of blocks.*norms=True"):
        Panel(["energy", "feature_norm"]).fit(bare)
    with pytest.raises(ScoreError, match="'representation' needs embeddings"):
        Panel(["representation"]).fit(bare)
    with pytest.raises(ScoreError, match="'representation' needs embeddings"):
        Panel(["representation"]).fit(replace(setup.bank, centers=None))


def test_what_the_outputs_lack_is_told_with_the_scorers_name(setup, outputs: Outputs) -> None:
    panel = Panel(["energy", "feature_norm"]).fit(setup.bank)
    with pytest.raises(ScoreError, match=r"'feature_norm' cannot score"):
        panel(outputs._replace(norms=None))


def test_a_class_without_rows_is_told_with_the_scorers_name(setup) -> None:
    few = setup.bank.take(setup.bank.labels != 2)
    with pytest.raises(ScoreError, match=r"'mahalanobis' cannot be fitted.*class 2"):
        Panel(["energy", "mahalanobis"]).fit(few)


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ([], "at least one"),
        (["knn", "knn"], "twice"),
        (["knn", KNN(3)], "twice"),
        (["msp+energy"], "does not lead"),
        (["react+knn"], "knn"),
    ],
)
def test_what_makes_no_panel_is_told(members: list[object], sentence: str) -> None:
    with pytest.raises(ScoreError, match=sentence):
        Panel(members)


@pytest.mark.parametrize("name", ["knm", "react+enrgy", "enrgy+react"])
def test_unknown_names_get_a_suggestion(name: str) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean"):
        Panel([name])


def test_a_gradient_scorer_is_named_with_the_way_to_run_it(setup, outputs: Outputs) -> None:
    panel = Panel(["energy", "odin"]).fit(setup.bank)
    assert panel.gradient_names == ("odin",)
    with pytest.raises(ScoreError, match=r"'odin'.*panel\.score"):
        panel(outputs)


def test_outputs_of_another_network_are_refused(setup, outputs: Outputs) -> None:
    panel = Panel(["energy", "knn"]).fit(setup.bank)
    with pytest.raises(ScoreError, match=r"4 classes and 12 features.*4 and 11"):
        panel(outputs._replace(features=outputs.features[:, :11]))
    with pytest.raises(ScoreError, match="3 and 12"):
        panel(outputs._replace(logits=outputs.logits[:, :3]))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_scores_that_are_not_finite_name_scorer_and_rows(setup, outputs: Outputs, value: float) -> None:
    logits = outputs.logits.clone()
    logits[[2, 17]] = value
    with pytest.raises(ScoreError, match=r"'energy' gives no finite score for row 2, 17\."):
        Panel(["energy"]).fit(setup.bank)(outputs._replace(logits=logits))
    logits[:] = value
    with pytest.raises(ScoreError, match=r"0, 1, 2, 3, 4, 5, 6, 7 and 22 more"):
        Panel(["energy"]).fit(setup.bank)(outputs._replace(logits=logits))


def test_scores_carry_no_graph(setup) -> None:
    outputs = setup.net(setup.images)
    assert outputs.logits.requires_grad
    assert not Panel(["energy"]).fit(setup.bank)(outputs)["energy"].requires_grad


def test_a_subset_keeps_scores_settings_and_calibration(setup, outputs: Outputs, same) -> None:
    panel = Panel(["energy", "knn", "msp"]).fit(setup.bank).calibrate(setup.bank.outputs)
    part = panel.subset(["msp", "energy"])
    whole = panel(outputs)
    same(part(outputs), {"msp": whole["msp"], "energy": whole["energy"]})
    assert part.names == tuple(part.settings) == tuple(part.calibrations) == ("msp", "energy")
    with pytest.raises(UnknownNameError, match="scorer of this panel"):
        panel.subset(["vim"])


def test_the_halves_are_what_outputs_suffice_for_and_the_rest(setup, outputs: Outputs) -> None:
    quick, slow = Panel(["odin", "knn", "energy"]).fit(setup.bank).halves()
    assert (quick.names, slow.names) == (("knn", "energy"), ("odin",))
    assert quick(outputs).keys() == {"knn", "energy"}
    assert slow.score(setup.net, setup.images).keys() == {"odin"}
    none, odin = Panel(["odin"]).fit().halves()
    assert (none(outputs), odin.names) == ({}, ("odin",))


def test_about_is_kept_as_a_file_would(setup) -> None:
    assert Panel(["energy"]).fit(setup.bank, about={"set": "cifar10", "rows": (1, 2)}).about == {
        "set": "cifar10",
        "rows": [1, 2],
    }
    with pytest.raises(ScoreError, match="so that it can be saved"):
        Panel(["energy"]).fit(setup.bank, about={"bank": setup.bank})


@pytest.mark.gpu
def test_the_panel_follows_its_outputs_to_the_gpu(setup, outputs: Outputs) -> None:
    panel = Panel(FREE).fit(setup.bank)
    expected = panel(outputs)
    for moved in (panel, panel.to("cuda"), Panel(FREE).fit(setup.bank.to("cuda"))):
        found = moved(outputs.to("cuda"))
        for name, scores in found.items():
            assert scores.device.type == "cuda"
            torch.testing.assert_close(scores.cpu(), expected[name], rtol=1e-3, atol=1e-3)
