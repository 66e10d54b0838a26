"""Checkpoint folders: round trips, hashes, atomic writing, and one sentence for everything that is wrong."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import oodcore
from oodcore.checkpoint import (
    Card,
    file_of,
    folder_of,
    import_checkpoint,
    is_shipped,
    known,
    places,
    read_card,
    save,
    seal,
    shipped,
    write_manifest,
)
from oodcore.data.transforms import Preprocessing
from oodcore.errors import CheckpointError, UnknownNameError
from oodcore.models import Classifier, build
from oodcore.models.adapters import adapt
from oodcore.models.libraries import from_name


def card_of(model: Classifier, **about: Any) -> Card:
    model.transform = Preprocessing(mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), coding="jpeg75")
    return Card.of(model, title="A test", seed=3, data={"cifar10": "ab" * 32}, recipe={"lr": 0.1}, **about)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_saved_is_loaded(model: Classifier, tmp_path: Path) -> None:
    folder = save(tmp_path / "one", model, card_of(model, metrics=[{"name": "auroc", "value": 0.9}]))
    loaded, x = oodcore.load(folder), torch.randn(2, 3, 32, 32)
    assert torch.equal(loaded(x).logits, model(x).logits)
    assert (loaded.classes, loaded.transform) == (model.classes, model.transform)
    assert not loaded.training
    assert loaded.card == read_card(folder)
    assert loaded.card.metrics == [{"name": "auroc", "value": 0.9}]
    assert torch.__version__.startswith(loaded.card.versions["torch"])
    assert names(tmp_path) == ["one"]
    assert names(folder) == ["card.json", "model.safetensors"]


def test_a_card_survives_json() -> None:
    card = Card("resnet-8", ("a", "b"), Preprocessing(), parent="p", licence="none", notes=("x",), seed=None)
    again = Card.from_json(json.loads(json.dumps(card.to_json())))
    assert (again.preprocessing, again.classes, again.parent) == (card.preprocessing, card.classes, "p")


def test_bare_model_files_of_ours_say_what_they_are(model: Classifier, tmp_path: Path) -> None:
    folder = save(tmp_path / "one", model, card_of(model))
    loaded = oodcore.load(folder / "model.safetensors")
    assert (loaded.architecture, loaded.classes) == ("resnet-8-w4", model.classes)


def test_saving_again_replaces_the_whole_folder(model: Classifier, tmp_path: Path) -> None:
    """A panel that was fitted on other weights must not stay."""
    folder = save(tmp_path / "one", model, card_of(model))
    (folder / "panel.safetensors").write_bytes(b"old")
    save(folder, build("resnet-8", ("x", "y")), Card.of(build("resnet-8", ("x", "y"))))
    assert names(folder) == ["card.json", "model.safetensors"]
    assert oodcore.load(folder).classes == ("x", "y")
    assert names(tmp_path) == ["one"]


def test_a_failure_while_saving_leaves_the_old_checkpoint(model: Classifier, tmp_path: Path) -> None:
    class Broken:
        def save(self, path: Path, /) -> None:
            path.write_bytes(b"half")
            raise OSError("disk full")

    folder = save(tmp_path / "one", model, card_of(model))
    before = (folder / "model.safetensors").read_bytes()
    with pytest.raises(OSError, match="disk full"):
        save(folder, build("resnet-8-w4", model.classes), card_of(model), panel=Broken())
    assert (folder / "model.safetensors").read_bytes() == before
    assert names(tmp_path) == ["one"]


def test_an_adapted_network_is_saved_and_built_again(tmp_path: Path) -> None:
    model = from_name("timm:test_resnet", weights="none", classes=("a", "b"))
    folder = save(tmp_path / "one", model, Card.of(model))
    loaded, x = oodcore.load(folder), torch.randn(1, 3, 160, 160)
    with torch.no_grad():
        assert torch.equal(loaded(x).logits, model(x).logits)


def test_a_wrapped_module_of_ones_own_cannot_be_saved(tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 2))
    model = adapt(net, transform=Preprocessing())
    with pytest.raises(CheckpointError, match="wrapped Sequential cannot be saved"):
        save(tmp_path / "one", model, Card.of(model))
    assert names(tmp_path) == []


def test_nan_weights_are_refused_both_ways(model: Classifier, tmp_path: Path) -> None:
    folder = save(tmp_path / "one", model, card_of(model))
    with torch.no_grad():
        model.fc.weight[0, 0] = float("nan")
    with pytest.raises(CheckpointError, match=r"NaN or infinite weights, first in 'fc.weight'"):
        save(tmp_path / "two", model, card_of(model))
    torch.save(model.state_dict(), tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="NaN"):
        oodcore.load(tmp_path / "w.pt")
    assert folder.exists()
    assert not (tmp_path / "two").exists()


# --- hashes ----------------------------------------------------------------------------------------------------------


def flip_last_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def test_changed_weights_are_noticed(model: Classifier, tmp_path: Path) -> None:
    folder = save(tmp_path / "one", model, card_of(model))
    flip_last_byte(folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="changed or damaged"):
        oodcore.load(folder)


def test_a_manifest_covers_the_card(model: Classifier, tmp_path: Path) -> None:
    folder = save(tmp_path / "one", model, card_of(model))
    write_manifest(tmp_path, "one")
    card = read_card(folder)
    values = card.to_json() | {"classes": ["x", "y", "z"]}
    (folder / "card.json").write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=r"card.json.*changed or damaged"):
        oodcore.load(folder)


def test_sealing_takes_new_files_and_fields_in(model: Classifier, tmp_path: Path) -> None:
    folder = save(tmp_path / "one", model, card_of(model))
    write_manifest(tmp_path, "one")
    (folder / "panel.safetensors").write_bytes(b"panel")
    card = seal(folder, thresholds={"energy": {"threshold": -3.0}})
    assert set(card.sha256) == {"model.safetensors", "panel.safetensors"}
    assert oodcore.load(folder).card.thresholds == {"energy": {"threshold": -3.0}}
    assert file_of(folder, "panel.safetensors") == folder / "panel.safetensors"
    flip_last_byte(folder / "panel.safetensors")
    with pytest.raises(CheckpointError, match="changed or damaged"):
        file_of(folder, "panel.safetensors")


def test_a_file_that_is_not_there_is_none(model: Classifier, tmp_path: Path) -> None:
    assert file_of(save(tmp_path / "one", model, card_of(model)), "panel.safetensors") is None


# --- where checkpoints are -------------------------------------------------------------------------------------------


def test_shipped_checkpoints_are_found_by_name(
    model: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "checkpoints" / "tiny", model, card_of(model))
    write_manifest(tmp_path / "checkpoints", "tiny")
    monkeypatch.setattr(places, "PACKAGE", tmp_path / "oodcore")
    assert shipped() == ["tiny"]
    monkeypatch.chdir("/")
    for source in ("tiny", "checkpoints/tiny"):
        assert oodcore.load(source).classes == model.classes
        assert folder_of(source) == tmp_path / "checkpoints" / "tiny"
    with pytest.raises(UnknownNameError, match="Did you mean 'tiny'"):
        oodcore.load("tinny")


def test_a_wheel_carries_them_inside_the_package(
    model: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "oodcore" / "_shipped" / "tiny", model, card_of(model))
    write_manifest(tmp_path / "oodcore" / "_shipped", "tiny")
    monkeypatch.setattr(places, "PACKAGE", tmp_path / "oodcore")
    assert shipped() == ["tiny"]


def test_without_shipped_ones_the_ways_to_name_one_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "PACKAGE", tmp_path / "oodcore")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OOD_CACHE", str(tmp_path / "cache"))
    assert shipped() == []
    with pytest.raises(UnknownNameError, match="a file of weights"):
        oodcore.load("tiny")


def test_only_listed_checkpoints_are_shipped(
    model: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "checkpoints"
    ours, own = (save(root / name, model, card_of(model)) for name in ("ours", "own"))
    write_manifest(root, "ours")
    monkeypatch.setattr(places, "PACKAGE", tmp_path / "oodcore")
    monkeypatch.chdir(tmp_path)
    assert shipped() == ["ours"]
    assert list(known()) == ["ours", "own"]
    assert (is_shipped(ours), is_shipped(own)) == (True, False)


def test_own_checkpoints_are_found_in_the_folders_that_are_searched(
    model: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OOD_DATA", str(tmp_path / "sets"))
    monkeypatch.setenv("OOD_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for place in ("here", "sets", "cache"):
        save(tmp_path / place / "checkpoints" / f"in-{place}", model, card_of(model))
        save(tmp_path / place / "checkpoints" / "same", model, card_of(model))
        assert folder_of(f"in-{place}").samefile(tmp_path / place / "checkpoints" / f"in-{place}")
    assert folder_of("same").samefile("checkpoints/same")


def test_a_root_that_is_named_is_searched_instead_of_the_environments(
    model: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OOD_DATA", str(tmp_path / "sets"))
    monkeypatch.setenv("OOD_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for place in ("sets", "other"):
        save(tmp_path / place / "checkpoints" / f"in-{place}", model, card_of(model))
    other = tmp_path / "other"
    assert known(other)["in-other"].samefile(other / "checkpoints" / "in-other")
    assert oodcore.load("in-other", root=other).classes == model.classes
    for source, root in (("in-other", None), ("in-sets", other)):
        with pytest.raises(UnknownNameError, match=source):
            oodcore.load(source, root=root)


def test_saving_beside_a_manifest_leaves_the_other_entries_alone(model: Classifier, tmp_path: Path) -> None:
    save(tmp_path / "one", model, card_of(model))
    manifest = write_manifest(tmp_path, "one")
    before = manifest.read_bytes()
    save(tmp_path / "two", model, card_of(model))
    assert manifest.read_bytes() == before
    write_manifest(tmp_path, "two")
    flip_last_byte(tmp_path / "two" / "model.safetensors")
    recorded = json.loads(manifest.read_text())
    save(tmp_path / "one", model, card_of(model, parent="new"))
    changed = {key for key, value in json.loads(manifest.read_text()).items() if value != recorded[key]}
    assert {key.partition("/")[0] for key in changed} == {"one"}


def write_card(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "card.json").write_text(text)
    return folder


GOOD = {"architecture": "resnet-8", "classes": ["a", "b"], "preprocessing": {}}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read"),
        ("[]", "must be a JSON object"),
        ("{}", "lacks"),
        (json.dumps(GOOD | {"speed": 3}), r"unknown keys \['speed'\]"),
        (json.dumps(GOOD | {"classes": "ab"}), "classes a list of names"),
        (json.dumps(GOOD | {"preprocessing": {"size": -1}}), "preprocessing cannot be used"),
        (json.dumps(GOOD | {"preprocessing": {"colour": 1}}), "unknown keys"),
        (json.dumps(GOOD | {"preprocessing": 3}), "preprocessing cannot be used"),
        (json.dumps(GOOD), "no model.safetensors"),
    ],
)
def test_a_card_that_cannot_be_used_is_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(CheckpointError, match=says):
        oodcore.load(write_card(tmp_path / "one", text))


def test_a_folder_without_card_and_a_file_that_is_missing_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no card.json"):
        oodcore.load(tmp_path)
    with pytest.raises(CheckpointError, match="There is no file"):
        oodcore.load(tmp_path / "x.pth")


def test_a_card_for_other_weights_is_a_sentence(model: Classifier, tmp_path: Path) -> None:
    folder = save(tmp_path / "one", model, replace(card_of(model), classes=("a", "b")))
    with pytest.raises(CheckpointError, match=r"'fc.weight' has shape \(3, 16\) instead of \(2, 16\)"):
        oodcore.load(folder)


# --- changing and importing ------------------------------------------------------------------------------------------


def test_classes_and_preprocessing_can_be_given(tmp_path: Path) -> None:
    torch.save(build("resnet-8", 10).state_dict(), tmp_path / "w.pt")
    assumed = oodcore.load(tmp_path / "w.pt")
    assert assumed.transform.assumed
    assert assumed.classes[3] == "cat"
    assert any("CIFAR-10" in note for note in assumed.notes)
    given = oodcore.load(tmp_path / "w.pt", classes=list("abcdefghij"), preprocessing=Preprocessing(size=16))
    assert given.classes == tuple("abcdefghij")
    assert given.transform == Preprocessing(size=16)
    assert not any("`preprocessing`" in note for note in given.notes)


def test_a_wrong_number_of_class_names_is_a_sentence(tmp_path: Path) -> None:
    torch.save(build("resnet-8", 5).state_dict(), tmp_path / "w.pt")
    assert oodcore.load(tmp_path / "w.pt").classes[0] == "class 0"
    with pytest.raises(CheckpointError, match="5 outputs; 2 class names"):
        oodcore.load(tmp_path / "w.pt", classes=["a", "b"])


def test_importing_makes_a_checkpoint_of_foreign_weights(tmp_path: Path) -> None:
    torch.save(build("resnet-8", 10).state_dict(), tmp_path / "w.pt")
    folder = import_checkpoint(tmp_path / "w.pt", tmp_path / "own", "mine", title="Mine", licence="MIT")
    loaded = oodcore.load(folder)
    assert folder == tmp_path / "own" / "mine"
    assert (loaded.card.title, loaded.card.licence, loaded.card.parent) == ("Mine", "MIT", "w.pt")
    assert loaded.transform.assumed
    assert any("Recognised as resnet-8" in note for note in loaded.notes)


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden"])
def test_a_name_that_is_no_folder_name_is_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match="no name for a checkpoint"):
        import_checkpoint(tmp_path / "w.pt", tmp_path, name)


def test_a_taken_name_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(CheckpointError, match="exists already"):
        import_checkpoint(tmp_path / "w.pt", tmp_path, "mine")


@pytest.mark.parametrize("change", [{"sha256": 5}, {"data": ["a"]}, {"notes": 5}, {"metrics": "high"}])
def test_a_card_with_fields_of_another_kind_is_a_sentence(model: Classifier, change: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="The card's"):
        Card.from_json({**Card.of(model).to_json(), **change})


@pytest.mark.parametrize("side", [32.5, True, "32"])
def test_a_size_that_counts_no_pixels_is_a_sentence(model: Classifier, side: object) -> None:
    values = Card.of(model).to_json()
    with pytest.raises(CheckpointError, match="preprocessing"):
        Card.from_json({**values, "preprocessing": {**values["preprocessing"], "size": side}})
