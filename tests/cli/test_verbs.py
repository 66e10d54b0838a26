"""Fit, threshold, blocks, evaluate, checkpoints, doctor, app: on folders of pictures and a small network."""

import csv
import json
import shlex
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from typer.main import get_command

import oodcore
from oodcore.checkpoint import Card, load_reference, read_card, save
from oodcore.cli import ood
from oodcore.data.catalogue import open_set
from oodcore.evaluate import fit_panel
from oodcore.metrics import auroc
from oodcore.panel import Panel
from oodcore.report import Report

Call = Callable[..., Any]


def sentences(result: Any) -> list[str]:
    return result.stderr.strip().splitlines()


def refused(result: Any, words: str) -> None:
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert words in sentences(result)[-1]
    assert "should not have" not in result.stderr


def test_fit_keeps_what_the_library_would_fit(world: Any) -> None:
    panel = Panel.load(world.fitted / "panel.safetensors")
    model = oodcore.load(world.checkpoint)
    own = fit_panel(
        model, open_set(world.pets, "train"), open_set(world.pets, "calibration"), ["energy", "msp", "knn", "odin"]
    )
    assert panel.names == own.names
    assert panel.about["fit"] == own.about["fit"]
    for name in panel.names:
        torch.testing.assert_close(panel.calibrations[name].scores, own.calibrations[name].scores)


def test_fit_keeps_reference_and_thresholds_beside_the_panel(world: Any) -> None:
    assert {name: len(bank) for name, bank in load_reference(world.fitted).items()} == {"pets": 36, "far": 20}
    card = read_card(world.fitted)
    assert card.thresholds["acceptance"] == 0.95
    assert card.thresholds["calibration"]["name"] == "pets"
    assert set(card.thresholds["scores"]) == {"energy", "msp", "knn", "odin"}
    assert card.title == "A small one"


def test_fit_of_a_network_with_a_long_tail_uses_what_it_was_trained_on(call: Call, world: Any, tmp_path: Path) -> None:
    model = oodcore.load(world.checkpoint)
    tailed = save(tmp_path / "tailed", model, Card.of(model, recipe={"data": {"long_tail": 0.2}}))
    assert call("fit", tailed, "--id", world.pets, "--scorers", "knn").exit_code == 0
    whole = Panel.load(world.fitted / "panel.safetensors").about["fit"]["n"]
    assert Panel.load(tailed / "panel.safetensors").about["fit"]["n"] < 0.6 * whole


def test_fit_refuses_before_any_work(call: Call, world: Any, tmp_path: Path) -> None:
    refused(call("fit", world.checkpoint, "--id", world.pets, "--out", world.fitted), "exists already")
    weights = tmp_path / "w.pt"
    torch.save(oodcore.load(world.checkpoint).state_dict(), weights)
    refused(call("fit", weights, "--id", world.pets), "ood checkpoints import")
    refused(call("fit", world.checkpoint, "--id", world.far, "--out", tmp_path / "new"), "train")
    assert not (tmp_path / "new").exists()


def test_fit_in_place_leaves_foreign_files_alone(call: Call, world: Any, tmp_path: Path) -> None:
    import shutil

    own = Path(shutil.copytree(world.checkpoint, tmp_path / "own"))
    (own / "notes.md").write_text("mine")
    refused(call("fit", own, "--id", world.pets, "--scorers", "energy"), "also holds notes.md")
    (own / "notes.md").unlink()
    assert call("fit", own, "--id", world.pets, "--scorers", "energy").exit_code == 0
    assert call("score", world.photo, "-c", own).exit_code == 0


def test_threshold_prints_every_share_and_its_promise(call: Call, world: Any) -> None:
    result = call("threshold", world.fitted, "--accept", 0.8, "--accept", 0.95, "--json")
    found = json.loads(result.stdout)
    panel = Panel.load(world.fitted / "panel.safetensors")
    assert [line["accept"] for line in found["accept"]] == [0.8, 0.95]
    assert found["accept"][0]["thresholds"] == pytest.approx(panel.thresholds(0.8))
    assert found["calibration"]["n"] == 75
    assert "75 calibration" in found["accept"][0]["guarantee"]
    refused(call("threshold", world.checkpoint), "no calibrated panel")


def test_blocks_give_norm_ratios_and_the_auroc_of_each(call: Call, world: Any) -> None:
    result = call("blocks", world.checkpoint, "--id", world.pets, "--ood", world.far, "--json")
    lines = json.loads(result.stdout)["blocks"]
    model = oodcore.load(world.checkpoint)
    assert [line["block"] for line in lines] == list(model.block_names)
    best = max(lines, key=lambda line: line["norm_ratio"])
    assert [line["block"] for line in lines if line["selected"]] == [best["block"]]
    inside, outside = (oodcore.collect(model, open_set(path, "test")).outputs.norms for path in (world.pets, world.far))
    assert lines[3]["auroc"]["far"] == pytest.approx(auroc(-inside[:, 3], -outside[:, 3]))
    assert "selected" in call("blocks", world.checkpoint, "--id", world.pets).stdout


def evaluated(call: Call, world: Any, *words: object) -> Any:
    return call("evaluate", world.fitted, "--id", world.pets, "--ood", world.far, *words)


def test_evaluate_writes_what_it_shows_and_names_conventions(call: Call, world: Any, tmp_path: Path) -> None:
    files = {ending: tmp_path / f"out.{ending}" for ending in ("csv", "json", "md")}
    result = evaluated(call, world, "--csv", files["csv"], "--json", files["json"], "--markdown", files["md"])
    assert result.exit_code == 0, result.output
    assert "FPR95 (OOD positive, first)" in result.stdout
    assert "FPR95 (ID positive, first)" in result.stdout
    report = Report.load(files["json"])
    assert [row.scorer for row in report.rows] == ["energy", "msp", "knn", "odin"]
    (network,) = json.loads(files["json"].read_text())["networks"]
    assert network["closed_set"]["n"] == 36
    lines = list(csv.DictReader(files["csv"].read_text().splitlines()))
    assert float(lines[0]["auroc"]) == report.rows[0].values["auroc"]
    assert "OOD004" in files["md"].read_text()
    assert any(line.startswith("OOD004") for line in sentences(result))


def test_evaluate_can_print_json_alone(call: Call, world: Any) -> None:
    found = json.loads(evaluated(call, world, "--scorers", "energy", "--json", "-", "--intervals").stdout)
    (row,) = found["rows"]
    assert row["convention"]["rule"] == "first"
    assert "fpr95_ood_positive" in row["intervals"]


def test_a_checkpoint_without_a_panel_is_fitted_on_the_way(call: Call, world: Any) -> None:
    words = "--id", world.pets, "--ood", world.far, "--scorers", "energy,knn", "--json", "-"
    plain = json.loads(call("evaluate", world.checkpoint, *words).stdout)["rows"]
    fitted = json.loads(call("evaluate", world.fitted, *words).stdout)["rows"]
    for mine, theirs in zip(plain, fitted, strict=True):
        assert mine["values"] == pytest.approx(theirs["values"])


def test_a_limit_holds_for_the_test_sets_and_not_for_the_fit_on_the_way(call: Call, world: Any) -> None:
    words = "--id", world.pets, "--ood", world.far, "--scorers", "energy,knn", "--limit", 15, "--json", "-"
    plain = json.loads(call("evaluate", world.checkpoint, *words).stdout)["rows"]
    fitted = json.loads(call("evaluate", world.fitted, *words).stdout)["rows"]
    for mine, theirs in zip(plain, fitted, strict=True):
        assert (mine["n_id"], mine["n_ood"]) == (15, 15)
        assert mine["values"] == pytest.approx(theirs["values"])


def test_outputs_are_found_again_and_only_where_wanted(call: Call, world: Any, tmp_path: Path) -> None:
    evaluated(call, world, "--scorers", "energy", "--no-cache")
    assert not (tmp_path / "cache" / "outputs").exists()
    first = evaluated(call, world, "--scorers", "energy").stdout
    kept = set((tmp_path / "cache" / "outputs").iterdir())
    assert len(kept) == 2
    assert evaluated(call, world, "--scorers", "energy").stdout == first
    assert set((tmp_path / "cache" / "outputs").iterdir()) == kept


def test_evaluate_refuses_files_that_it_could_not_write_in_the_end(call: Call, world: Any, tmp_path: Path) -> None:
    refused(evaluated(call, world, "--csv", tmp_path / "gone" / "a.csv"), "cannot be written")
    refused(evaluated(call, world, "--csv", tmp_path / "a.txt"), "ending .csv")


def test_test_images_among_the_training_outliers_are_refused(call: Call, world: Any, tmp_path: Path) -> None:
    shared = Image.open(world.far / "noise" / "3.png")
    (tmp_path / "aux" / "train" / "noise").mkdir(parents=True)
    for index in range(4):
        shared.rotate(90 * index).save(tmp_path / "aux" / "train" / "noise" / f"{index}.png")
    refused(evaluated(call, world, "--aux", tmp_path / "aux"), "also among the training outliers")


@pytest.mark.parametrize("id_name", ["cifar1", "cifar10", "/no/such/folder"])
def test_a_set_that_is_not_here_is_one_sentence(call: Call, world: Any, id_name: str) -> None:
    result = call("evaluate", world.fitted, "--id", id_name, "--ood", world.far)
    assert (result.exit_code, result.stdout, len(sentences(result))) == (2, "", 1)


def test_an_own_id_set_needs_named_outliers(call: Call, world: Any) -> None:
    refused(call("evaluate", world.fitted, "--id", world.pets), "--ood NAME")


def test_imported_weights_are_told_what_they_lack(call: Call, world: Any, tmp_path: Path) -> None:
    weights = tmp_path / "net.pt"
    torch.save(oodcore.load(world.checkpoint).state_dict(), weights)
    words = "--name", "net", "--folder", tmp_path / "kept", "--mean", 0.1, 0.2, 0.3, "--std", 0.4, 0.5, 0.6
    result = call("checkpoints", "import", weights, *words, "--classes", "cat, dog,ship")
    assert result.exit_code == 0, result.output
    card = read_card(tmp_path / "kept" / "net")
    assert (card.preprocessing.mean, card.preprocessing.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert card.preprocessing.assumed is False
    assert card.classes == ("cat", "dog", "ship")
    refused(call("checkpoints", "import", weights, *words), "exists already")
    assert "ood fit" in sentences(result)[-1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--classes", "cat,dog"), "3 outputs; 2 class names"),
        (("--std", "0.1", "0", "0.1"), "above 0"),
        (("--coding", "webp"), "'lossless' or 'jpeg75'"),
    ],
)
def test_a_wrong_import_leaves_nothing(
    call: Call, world: Any, tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    weights = tmp_path / "net.pt"
    torch.save(oodcore.load(world.checkpoint).state_dict(), weights)
    refused(call("checkpoints", "import", weights, "--name", "net", "--folder", tmp_path / "kept", *words), sentence)
    assert not (tmp_path / "kept").exists()


def test_checkpoints_are_listed_and_shown(call: Call, world: Any) -> None:
    found = {
        each["name"]: each for each in json.loads(call("checkpoints", "list", "--folder", world.root, "--json").stdout)
    }
    assert (found["plain"]["panel"], found["fitted"]["panel"], found["fitted"]["reference"]) == (False, True, True)
    shown = json.loads(call("checkpoints", "show", world.fitted, "--json").stdout)
    assert shown["scorers"] == ["energy", "msp", "knn", "odin"]
    assert shown["fitted_on"]["fit"]["n"] == 75
    assert "A small one" in call("checkpoints", "show", world.checkpoint).stdout


def test_doctor_knows_versions_sets_and_devices(call: Call) -> None:
    result = call("doctor", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 0, result.output
    assert found["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert found["devices"][0] == "cpu"
    assert found["sets"]["shapes"] is True
    assert found["problems"] == []


def test_app_becomes_the_server_with_our_settings(call: Call, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr("oodcore.cli.app._become", lambda command, environment: seen.update(c=command, e=environment))
    assert call("app", "--port", 9001, "--address", "0.0.0.0", "--no-browser", "--data", world.root).exit_code == 0
    assert seen["c"][:4] == [sys.executable, "-m", "streamlit", "run"]
    assert Path(seen["c"][4]).name == "asgi.py"
    assert seen["c"][5:] == [
        "--server.port=9001",
        "--server.address=0.0.0.0",
        "--server.headless=true",
        "--server.showEmailPrompt=false",
    ]
    assert seen["e"]["OOD_DATA"] == str(world.root)


def test_app_says_that_its_port_is_taken_and_names_another(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oodcore.cli.app._become", lambda command, environment: pytest.fail("it was started"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused(call("app", "--port", port), f"Port {port} is in use, perhaps by pages that are open. Try `ood app")


def test_app_says_how_to_install_the_pages(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oodcore.cli.app.find_spec", lambda name: None)
    refused(call("app"), "pip install '.[app]'")


@pytest.mark.parametrize(
    "verb", ["score", "evaluate", "fit", "threshold", "blocks", "doctor", "app", "data list", "data get", "data check",
             "data show", "checkpoints list", "checkpoints show", "checkpoints import", "train", "finetune", "prior",
             "logit-adjust", "recipes", "cancel", "benchmark"]
)  # fmt: skip
def test_every_verb_has_help_with_examples(call: Call, verb: str) -> None:
    result = call(*verb.split(), "--help")
    assert result.exit_code == 0
    assert "Examples" in result.stdout
    assert f"ood {verb}" in result.stdout.partition("Examples")[2]


def every_command(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Commands of the tree, each with the words that lead to it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from every_command(command, (*words, name))
        else:
            yield (*words, name), command


@pytest.mark.parametrize(
    ("words", "command"), [pytest.param(*pair, id=" ".join(pair[0])) for pair in every_command(get_command(ood))]
)
def test_the_examples_are_commands_that_can_be_given(words: tuple[str, ...], command: Any) -> None:
    """Options that are there, with values where they want some, and no word left over; nothing is run."""
    lines = [line.strip() for line in (command.epilog or "").splitlines()[1:]]
    parted = [shlex.split(line.partition(" > ")[0], comments=True) for line in lines]
    own = [given for given in parted if given[1 : len(words) + 1] == [*words]]
    assert own, f"ood {' '.join(words)} shows no example of itself"
    for given in own:
        command.make_context(words[-1], given[len(words) + 1 :])
