"""The three lines of "Your own network": import, fit, score, by name, where a person works."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from oodcore.checkpoint import known, read_card, save, write_manifest
from oodcore.checkpoint.card import Card
from oodcore.models import build

Call = Callable[..., Any]
LAYER = "layer{}.{}.{}"


def foreign_weights(path: Path) -> Path:
    """A small ResNet-8 for three classes, under the names that akamaster/pytorch_resnet_cifar10 gives."""
    tensors = {}
    for key, value in build("resnet-8-w4", 3).state_dict().items():
        part, _, rest = key.partition(".")
        number, _, inner = rest.partition(".")
        name = {"stem": rest, "fc": f"linear.{rest}"}.get(part) or LAYER.format(int(number) + 1, 0, inner)
        tensors[f"module.{name}"] = value
    torch.save({"state_dict": tensors, "best_prec1": 90.0}, path)
    return path


def done(result: Any) -> Any:
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with weights in it, where the person stands."""
    folder = tmp_path / "work"
    folder.mkdir()
    foreign_weights(folder / "resnet8.th")
    monkeypatch.chdir(folder)
    return folder


def test_the_three_lines_of_the_readme_work_in_an_empty_folder(call: Call, world: Any, here: Path) -> None:
    made = done(call("checkpoints", "import", "resnet8.th", "--name", "mine", "--classes", "cat,dog,ship"))
    assert "Next: ood fit mine --id" in made.stderr
    assert "--mean and --std" in made.stderr
    assert "class names" not in made.stderr
    fitted = done(call("fit", "mine", "--id", world.pets, "--scorers", "energy,knn", "--limit", 40))
    assert "checkpoints/mine" in fitted.stdout
    found = json.loads(done(call("score", world.photo, "--checkpoint", "mine", "--json")).stdout)
    assert found["checkpoint"] == "mine"
    measured = done(call("evaluate", "mine", "--id", world.pets, "--ood", world.far, "--scorers", "energy"))
    assert "std (0.229, 0.224, 0.225), 32 pixels, bicubic, lossless, assumed" in measured.stderr
    assert "`ood checkpoints import`" in measured.stderr
    assert found["decides"] == "energy"
    assert found["photos"][0]["prediction"] in ("cat", "dog", "ship")


def test_own_ones_are_listed_as_own(call: Call, here: Path) -> None:
    done(call("checkpoints", "import", "resnet8.th", "--name", "mine"))
    lines = {line["name"]: line for line in json.loads(done(call("checkpoints", "list", "--json")).stdout)}
    assert lines["mine"]["shipped"] is False
    assert lines["shapes-resnet20w4"]["shipped"] is True
    table = done(call("checkpoints", "list")).stdout.splitlines()
    assert [line.split()[1] for line in table if line.startswith("mine")] == ["own"]
    again = json.loads(done(call("checkpoints", "list", "--folder", "checkpoints", "--json")).stdout)
    assert [line["name"] for line in again].count("mine") == 1


def test_a_damaged_card_does_not_hide_the_other_checkpoints(call: Call, here: Path) -> None:
    (here / "checkpoints" / "broken").mkdir(parents=True)
    (here / "checkpoints" / "broken" / "card.json").write_text("{")
    result = done(call("checkpoints", "list", "--json"))
    assert "shapes-resnet20w4" in {line["name"] for line in json.loads(result.stdout)}
    assert "broken" in result.stderr


def test_a_folder_of_the_same_name_without_a_card_is_not_in_the_way(call: Call, world: Any, here: Path) -> None:
    done(call("checkpoints", "import", "resnet8.th", "--name", "mine"))
    (here / "mine").mkdir()
    done(call("score", world.photo, "--checkpoint", "mine"))


def test_the_name_of_a_shipped_checkpoint_cannot_be_taken(call: Call, here: Path) -> None:
    result = call("checkpoints", "import", "resnet8.th", "--name", "shapes-resnet20w4")
    assert result.exit_code == 2
    assert "name of a shipped checkpoint" in result.stderr
    assert not (here / "checkpoints").exists()


def test_kept_elsewhere_the_next_line_names_the_folder(call: Call, here: Path) -> None:
    made = done(call("checkpoints", "import", "resnet8.th", "--name", "mine", "--folder", "kept"))
    assert "Next: ood fit kept/mine --id" in made.stderr
    assert "mine" not in known()


def test_a_checkpoint_beside_the_image_sets_is_found_by_its_name(call: Call, world: Any, here: Path) -> None:
    done(call("checkpoints", "import", "resnet8.th", "--name", "mine", "--folder", "sets/checkpoints"))
    words = "--id", world.pets, "--scorers", "energy", "--limit", 40, "--data", "sets"
    done(call("fit", "mine", *words))
    assert (here / "sets" / "checkpoints" / "mine" / "panel.safetensors").is_file()
    done(call("evaluate", "mine", "--ood", world.far, *words))
    done(call("blocks", "mine", "--id", world.pets, "--limit", 10, "--data", "sets"))
    assert json.loads(done(call("doctor", "--data", "sets", "--json")).stdout)["checkpoints"]["mine"] is True
    assert call("fit", "mine", *words[:-2]).exit_code == 2


@pytest.fixture
def repository(here: Path) -> Path:
    """The person stands in a folder whose checkpoints are listed in a manifest, as those of the repository are."""
    model = build("resnet-8-w4", ("cat", "dog", "ship")).eval()
    save(here / "checkpoints" / "listed", model, Card.of(model))
    write_manifest(here / "checkpoints", "listed")
    return here


def test_in_a_repository_own_checkpoints_stay_out_of_the_manifest(call: Call, world: Any, repository: Path) -> None:
    manifest = repository / "checkpoints" / "MANIFEST.json"
    before = manifest.read_bytes()
    assert set(json.loads(before)) == {"listed/card.json", "listed/model.safetensors"}
    done(call("checkpoints", "import", "resnet8.th", "--name", "mine", "--classes", "cat,dog,ship"))
    done(call("fit", "mine", "--id", world.pets, "--scorers", "energy", "--limit", 40))
    done(call("score", world.photo, "--checkpoint", "mine"))
    assert manifest.read_bytes() == before
    assert set(read_card(repository / "checkpoints" / "mine").thresholds["scores"]) == {"energy"}


def test_what_the_manifest_lists_is_not_fitted_in_place(call: Call, world: Any, repository: Path) -> None:
    result = call("fit", "listed", "--id", world.pets, "--scorers", "energy")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "shipped and stays as it is" in result.stderr
