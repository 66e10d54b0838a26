"""A network meets outliers: what is measured and shown, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import oodcore
from oodcore.checkpoint import Card, read_card, save
from oodcore.data import open_set
from oodcore.data.procedural import procedural
from oodcore.functional import free_energy
from oodcore.models import build

Call = Callable[..., Any]

SETS = "--id", "shapes", "--outliers", "shapes-aux"
SHORT = "--steps", 2, "--lr", 0.01, "--set", "train.batch=8", "--set", "train.outlier_batch=16"


def refused(result: Any, words: str) -> None:
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert words in result.stderr, result.stderr
    assert "should not have" not in result.stderr


@pytest.mark.parametrize("loss", ["outlier-exposure", "outlier_exposure", "semantic_energy"])
def test_every_loss_by_either_spelling(call: Call, shapes: Path, loss: str) -> None:
    result = call("finetune", shapes, "--loss", loss, *SETS, *SHORT)
    assert result.exit_code == 0, result.output
    folder = Path(f"runs/start-{loss.replace('_', '-')}-0/checkpoint")
    card = read_card(folder)
    assert card.recipe["loss"]["name"] == loss.replace("-", "_")
    assert card.parent == "start"
    assert (oodcore.load(folder).centers is not None) == (loss == "semantic_energy")
    assert f"checkpoint: {folder}" in result.stdout
    assert "AUROC" in result.stdout.splitlines()[-1]
    assert "margin_in" not in result.stdout or loss == "semantic_energy"


def test_margins_are_measured_on_the_network_of_the_start(call: Call, shapes: Path) -> None:
    result = call("finetune", shapes, "--loss", "energy", *SETS, *SHORT)
    model = oodcore.load(shapes)
    inside, outside = (
        free_energy(oodcore.collect(model, open_set(name, "calibration")).outputs.logits).double().numpy()
        for name in ("shapes", "shapes-aux")
    )
    expected = np.percentile(inside, 25), np.percentile(outside, 75)
    used = read_card("runs/start-energy-0/checkpoint").recipe["loss"]
    assert (used["margin_in"], used["margin_out"]) == pytest.approx(expected, abs=1e-5)
    assert f"margin_in {expected[0]:.3f}: percentile 25 of in-distribution energies" in result.stdout
    assert f"margin_out {expected[1]:.3f}: percentile 75 of outliers' energies" in result.stdout


@pytest.mark.parametrize(
    ("more", "warm_up"),
    [(("--steps", 10), 2), (("--steps", 10, "--set", "loss.warm_up=7"), 7), (("--set", "train.steps=15"), 3)],
)
def test_a_short_run_warms_up_for_a_fifth_of_its_steps(
    call: Call, shapes: Path, more: tuple[str, ...], warm_up: int
) -> None:
    """An epoch of CIFAR, the usual warm-up, would take it whole, and outliers would never count."""
    result = call("finetune", shapes, "--loss", "semantic-energy", *SETS, *SHORT, *more)
    assert result.exit_code == 0, result.output
    assert read_card("runs/start-semantic-energy-0/checkpoint").recipe["loss"]["warm_up"] == warm_up


def test_margins_by_hand_are_taken_as_they_are(call: Call, shapes: Path) -> None:
    result = call("finetune", shapes, "--loss", "energy", *SETS, *SHORT, "--margins", "-9,-4.5", "--weight", 0.2)
    used = read_card("runs/start-energy-0/checkpoint").recipe["loss"]
    assert (used["margin_in"], used["margin_out"], used["weight"]) == (-9.0, -4.5, 0.2)
    assert "percentile" not in result.stdout


def test_margins_among_the_changes_are_taken_as_they_are(call: Call, shapes: Path) -> None:
    words = "--set", "loss.margin_in=-9", "--set", "loss.margin_out=-4"
    result = call("finetune", shapes, "--loss", "energy", *SETS, *SHORT, *words)
    card = read_card("runs/start-energy-0/checkpoint").recipe
    assert (card["loss"]["margin_in"], card["loss"]["margin_out"], card["margins"]) == (-9.0, -4.0, None)
    assert "percentile" not in result.stdout
    result = call(
        "finetune", shapes, "--loss", "energy", *SETS, *SHORT, *words, "--set", "margins.inside=1", "--out", "2"
    )
    assert "margin_in -9.000: as given" in result.stdout


def test_alpha_is_scaled_to_measured_margins_unless_it_is_given(call: Call, shapes: Path) -> None:
    words = "finetune", shapes, "--loss", "balanced-energy", *SETS, *SHORT
    assert call(*words, "--out", "usual").exit_code == 0
    used = read_card("usual/checkpoint").recipe["loss"]
    assert used["alpha"] == pytest.approx(10 * (used["margin_out"] - used["margin_in"]) / 18)
    assert call(*words, "--out", "given", "--alpha", 9).exit_code == 0
    assert read_card("given/checkpoint").recipe["loss"]["alpha"] == 9
    assert call(*words, "--out", "by hand", "--margins", "-9,-4").exit_code == 0
    assert read_card("by hand/checkpoint").recipe["loss"]["alpha"] == 10


def test_alpha_is_scaled_to_the_gap_where_asked(call: Call, shapes: Path) -> None:
    words = *SHORT, "--alpha", 9, "--gamma", 0, "--set", "margins.alpha_gap=18"
    result = call("finetune", shapes, "--loss", "balanced-energy", *SETS, *words)
    used = read_card("runs/start-balanced-energy-0/checkpoint").recipe["loss"]
    assert used["alpha"] == pytest.approx(9 * (used["margin_out"] - used["margin_in"]) / 18)
    assert f"alpha {used['alpha']:.3f}: scaled" in result.stdout
    assert "which weigh as much as all others at gamma = 0" in result.stderr


def test_the_prior_is_shown_by_class_and_empty_classes_are_told(call: Call, shapes: Path) -> None:
    result = call("finetune", shapes, "--loss", "balanced-energy", *SETS, *SHORT, "--gamma", 0.5)
    bank = oodcore.collect(oodcore.load(shapes), open_set("shapes-aux", "train"))
    counts = bank.outputs.logits.argmax(dim=1).bincount(minlength=10).tolist()
    assert read_card("runs/start-balanced-energy-0/checkpoint").recipe["outlier_prior"] == counts
    rows = [line.split() for line in result.stdout.splitlines()]
    for name, count in zip(oodcore.load(shapes).classes, counts, strict=True):
        assert [*name.split(), str(count), f"{count / 100:.2%}"] in rows
    assert 0 in counts
    assert "OOD008" in result.stderr


def test_a_long_tail_is_taken_over_from_the_card_and_can_be_left(call: Call, shapes: Path, tmp_path: Path) -> None:
    model = oodcore.load(shapes)
    about = {"data": {"inliers": "shapes", "long_tail": 0.1}}
    tailed = save(tmp_path / "tailed", model, Card.of(model, recipe=about))
    words = "--loss", "energy", *SETS, *SHORT
    result = call("finetune", tailed, *words)
    assert "Long tail 0.1" in result.stderr
    assert read_card("runs/tailed-energy-0/checkpoint").recipe["data"]["long_tail"] == 0.1
    assert call("finetune", tailed, *words, "--long-tail", 1, "--out", "whole").exit_code == 0
    assert read_card("whole/checkpoint").recipe["data"]["long_tail"] is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("energy", "--margins", "-4,-9"), "margin_in must lie below margin_out"),
        (("energy", "--set", "loss.margin_in=-9"), "[loss] gives margin_in alone, and [margins] measures both."),
        (("energy", "--outliers", "shapes-near"), "'shapes-near' holds OOD test images"),
        (("energy", "--set", "loss=3"), "A table [loss] is needed"),
        (("energy", "--margins", "3"), "--margins takes two numbers, as -23,-5; got '3'"),
        (
            ("energy", "--set", "margins.inside=90", "--set", "margins.outside=1"),
            "Margins would be the wrong way round",
        ),
        (("energy", "--weight", "-1"), "weight must be 0 or more; got -1"),
        (("energy", "--alpha", "1"), "No option of energy is called 'alpha'"),
        (("balanced-energy", "--alpha", "-1"), "alpha must be 0 or more; got -1"),
        (("balanced-energy", "--gamma", "-0.5"), "gamma must be 0 or more; got -0.5"),
        (("semantic-energy", "--pull", "-1"), "pull must be 0 or more"),
        (("semantic-energy", "--set", "loss.warm_up=2"), "they would never count"),
        (("balanced-enery",), "Did you mean 'balanced_energy'"),
        (("cross-entropy",), "looks at no outliers"),
        (("energy", "--lr", "0"), "lr must be above 0"),
        (("energy", "--long-tail", "2"), "must lie in (0, 1]"),
        (("energy", "--outliers", "shapes-ux"), "No image set is called 'shapes-ux'"),
        (("energy", "--id", "shapes-aux"), "shapes-aux"),
        (("energy", "--ood", "shapes-nera"), "Did you mean 'shapes-near'"),
    ],
)
def test_bad_input_is_a_sentence_and_leaves_no_checkpoint(
    call: Call, shapes: Path, words: tuple[str, ...], sentence: str
) -> None:
    refused(call("finetune", shapes, *SETS, *SHORT, "--out", "here", "--loss", *words), sentence)
    assert not (Path("here") / "checkpoint").exists()


def test_a_network_of_other_classes_is_refused(call: Call, shapes: Path, tmp_path: Path) -> None:
    model = build("resnet-20-w4", 7).eval()
    other = save(tmp_path / "seven", model, Card.of(model))
    refused(call("finetune", other, "--loss", "energy", *SETS, *SHORT), "'shapes' shows 10")


def test_test_images_among_the_outliers_are_refused(call: Call, shapes: Path, tmp_path: Path) -> None:
    test = procedural("shapes-near", "test").images
    planted = torch.cat([test[:-1], procedural("shapes-aux", "train").images[17:18]])
    np.savez(tmp_path / "planted.npz", images=planted.movedim(1, -1).numpy())
    np.savez(tmp_path / "clean.npz", images=test.movedim(1, -1).numpy())
    words = "--loss", "energy", *SETS, *SHORT, "--ood", tmp_path / "planted.npz"
    refused(call("finetune", shapes, *words), "1 images of 'planted' are also among the training outliers 'shapes-aux'")
    assert not Path("runs/start-energy-0/checkpoint").exists()
    assert call("finetune", shapes, *words[:-1], tmp_path / "clean.npz", "--out", "fine").exit_code == 0
