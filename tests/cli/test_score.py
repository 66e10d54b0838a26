import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import oodcore
from oodcore.data import decode
from oodcore.panel import Panel

Call = Callable[..., Any]


def test_json_is_pure_and_agrees_with_the_library(call: Call, world: Any) -> None:
    result = call("score", world.photo, "-c", world.fitted, "--scorers", "knn,energy,odin", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    model, panel = oodcore.load(world.fitted), Panel.load(world.fitted / "panel.safetensors")
    image = model.transform(decode(world.photo))[None]
    scores = panel.score(model, image)
    (line,) = found["photos"]
    assert list(line["scores"]) == ["knn", "energy", "odin"]
    for name, verdict in line["scores"].items():
        calibration = panel.calibrations[name]
        assert verdict["score"] == pytest.approx(float(scores[name]), rel=1e-5)
        assert verdict["p_value"] == pytest.approx(float(calibration.p_values(scores[name])))
        assert verdict["is_ood"] is bool(calibration.is_ood(scores[name]))
    assert line["prediction"] == model.classes[int(model(image).logits.argmax())]
    assert line["is_ood"] == line["scores"]["knn"]["is_ood"]
    assert found["decides"] == "knn"


def test_the_table_names_prediction_p_value_and_decision(call: Call, world: Any) -> None:
    result = call("score", world.photo, "-c", world.fitted)
    assert result.stdout.splitlines()[0].split() == ["photo", "prediction", "confidence", "energy", "p", "decision"]
    assert "OOD where energy is above" in result.stderr
    assert "calibration pictures" in result.stderr


def test_of_all_scorers_the_energy_decides(call: Call, world: Any) -> None:
    told = json.loads(call("score", world.photo, "-c", world.fitted, "--scorers", "all", "--json").stdout)
    assert next(iter(told["thresholds"])) == "energy"
    assert set(told["thresholds"]) == {"energy", "msp", "knn", "odin"}


def test_a_stricter_acceptance_moves_the_threshold_up(call: Call, world: Any) -> None:
    thresholds = [
        json.loads(call("score", world.photo, "-c", world.fitted, "--accept", share, "--json").stdout)["thresholds"]
        for share in (0.5, 0.9)
    ]
    assert thresholds[0]["energy"] < thresholds[1]["energy"]


def test_unreadable_photos_are_told_and_the_others_scored(call: Call, world: Any, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "cut.png").write_bytes(world.photo.read_bytes()[:300])
    Image.new("RGB", (8000, 8000)).save(tmp_path / "huge.png")
    Image.new("CMYK", (40, 50), (0, 90, 9, 9)).save(tmp_path / "print.jpg")
    Image.new("I;16", (30, 30), 40000).save(tmp_path / "sixteen.png")
    result = call("score", tmp_path, tmp_path / "gone.png", world.photo, "-c", world.fitted, "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 2
    assert [Path(line["photo"]).name for line in found["photos"]] == ["print.jpg", "sixteen.png", "0.png"]
    assert {Path(each["photo"]).name for each in found["failed"]} == {
        "cut.png", "empty.png", "gone.png", "huge.png", "text.jpg",
    }  # fmt: skip
    assert len(result.stderr.strip().splitlines()) == 5
    assert "Traceback" not in result.output


def test_without_a_panel_there_are_scores_and_a_way_to_a_decision(call: Call, world: Any) -> None:
    result = call("score", world.photo, "-c", world.checkpoint, "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert found["decides"] is None
    assert found["photos"][0]["is_ood"] is None
    assert set(found["photos"][0]["scores"]) == {"energy", "msp"}
    assert "ood fit" in result.stderr


def test_a_scorer_that_learns_is_refused_without_a_panel(call: Call, world: Any) -> None:
    result = call("score", world.photo, "-c", world.checkpoint, "--scorers", "knn")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'knn' learns from training images" in result.stderr


def test_every_scorer_without_a_panel_is_one_that_learns_nothing(call: Call, world: Any) -> None:
    found = json.loads(call("score", world.photo, "-c", world.checkpoint, "--scorers", "all", "--json").stdout)
    assert {"energy", "msp", "max_logit"} <= set(found["photos"][0]["scores"])
    assert "mahalanobis" not in found["photos"][0]["scores"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--scorers", "enrgy"), "Did you mean 'energy'?"),
        (("--accept", "95"), "Did you mean 0.95?"),
        (("--accept", "0.9999"), "calibration scores"),
        (("--device", "cuda:77"), "Available: cpu"),
    ],
)
def test_wrong_options_are_one_sentence(call: Call, world: Any, words: tuple[str, ...], sentence: str) -> None:
    result = call("score", world.photo, "-c", world.fitted, *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def broken(tmp_path: Path, kind: str, world: Any) -> Path:
    path = tmp_path / f"{kind}.pt"
    state = oodcore.load(world.checkpoint).state_dict()
    if kind == "keys":
        torch.save({"encoder.weight": torch.zeros(3)}, path)
    elif kind == "nan":
        torch.save(
            {name: value * float("nan") if value.is_floating_point() else value for name, value in state.items()}, path
        )
    elif kind == "truncated":
        torch.save(state, path)
        path.write_bytes(path.read_bytes()[:-2000])
    elif kind == "pickle":
        torch.save(torch.nn.Linear(2, 2), path)
    else:
        path.write_text("no weights")
    return path


@pytest.mark.parametrize("kind", ["keys", "nan", "truncated", "pickle", "text"])
def test_a_bad_checkpoint_is_one_sentence(call: Call, world: Any, tmp_path: Path, kind: str) -> None:
    result = call("score", world.photo, "-c", broken(tmp_path, kind, world))
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert len(result.stderr.strip().splitlines()) == 1
    assert "should not have" not in result.stderr


def test_a_missing_checkpoint_is_one_sentence(call: Call, world: Any, tmp_path: Path) -> None:
    for name in (tmp_path / "gone.pt", tmp_path, "no-such-name"):
        result = call("score", world.photo, "-c", name)
        assert (result.exit_code, len(result.stderr.strip().splitlines())) == (2, 1), result.output


def test_a_changed_panel_is_refused_by_its_hash(call: Call, world: Any, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(world.fitted, tmp_path / "copy"))
    content = bytearray((copy / "panel.safetensors").read_bytes())
    content[-5] ^= 1
    (copy / "panel.safetensors").write_bytes(content)
    result = call("score", world.photo, "-c", copy)
    assert result.exit_code == 2
    assert "changed or damaged" in result.stderr


def test_a_real_process_writes_only_json_to_stdout(world: Any, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    words = "score", str(world.photo), str(tmp_path / "text.jpg"), "-c", str(world.fitted), "--json"
    found = subprocess.run([Path(sys.executable).parent / "ood", *words], text=True, capture_output=True)
    assert found.returncode == 2
    assert json.loads(found.stdout)["photos"][0]["is_ood"] in (True, False)
    assert found.stderr.count("\n") == 1
    assert "not a picture" in found.stderr
