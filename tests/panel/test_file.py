"""One safetensors file: the same bits back, nothing executed, and a sentence for whatever is wrong with it."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from oodcore.errors import CheckpointError
from oodcore.panel import FittedPanel, Panel
from oodcore.panel.file import digest
from oodcore.records import Outputs
from oodcore.scorers import scorers


@pytest.fixture
def saved(setup, tmp_path: Path) -> Path:
    panel = Panel(["energy", "knn", "vim"]).fit(setup.bank, about={"set": "drawn"}).calibrate(setup.bank.outputs)
    return panel.save(tmp_path / "panel.safetensors")


def rewritten(path: Path, **changes: str) -> Path:
    """The same file with other metadata and, where the panel's text changes, a checksum that fits."""
    with safe_open(path, "pt") as file:
        metadata = {**file.metadata(), **changes}
    tensors = load_file(path)
    if "panel" in changes:
        metadata["sha256"] = digest([tensors[key] for key in sorted(tensors)], metadata["panel"])
    save_file(tensors, path, metadata)
    return path


def content(path: Path) -> dict:
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["panel"])


def test_everything_scores_to_the_last_bit_as_before(setup, outputs: Outputs, tmp_path: Path, same) -> None:
    names = [*scorers.names(), "react+msp", "selected_norm+odin"]
    panel = Panel(names).fit(setup.bank, about={"set": "drawn", "rows": 120})
    plain = panel.subset([name for name in names if name not in panel.gradient_names])
    panel = panel.calibrate(plain(setup.bank.outputs))
    loaded = Panel.load(panel.save(tmp_path / "folder" / "panel.safetensors"))
    same(loaded.subset(plain.names)(outputs), plain(outputs))
    seeing = [name for name in names if name not in ("representation", "semantic_energy")]
    same(loaded.subset(seeing).score(setup.net, setup.images), panel.subset(seeing).score(setup.net, setup.images))
    assert isinstance(loaded, FittedPanel)
    assert (loaded.names, loaded.settings, loaded.about) == (panel.names, panel.settings, panel.about)
    assert (loaded.classes, loaded.width) == (4, 12)
    assert loaded.thresholds() == panel.thresholds()


def test_layout_in_memory_is_kept(setup, saved: Path) -> None:
    """Products round by layout: `eigh` gives column-major bases."""
    before, after = Panel(["vim"]).fit(setup.bank).members["vim"], Panel.load(saved).members["vim"]
    assert before.basis.stride() == after.basis.stride()


def test_equal_tensors_are_stored_once(setup, tmp_path: Path) -> None:
    alone = Panel(["knn"]).fit(setup.bank).save(tmp_path / "alone").stat().st_size
    both = Panel({"knn": "knn", "again": "knn"}).fit(setup.bank).save(tmp_path / "both").stat().st_size
    assert both - alone < 1000 < alone


def test_saving_again_replaces_the_file_and_leaves_nothing_else(setup, saved: Path) -> None:
    Panel(["msp"]).fit(setup.bank).save(saved)
    assert Panel.load(saved).names == ("msp",)
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def test_a_save_that_fails_leaves_the_old_file(setup, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(CheckpointError, match="No space left"):
        Panel(["msp"]).fit(setup.bank).save(saved)
    assert Panel.load(saved).names == ("energy", "knn", "vim")
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no file"):
        Panel.load(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("kept", [0, 5, 200, -1])
def test_a_truncated_file_is_told(saved: Path, kept: int) -> None:
    saved.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match="damaged or not a safetensors file"):
        Panel.load(saved)


@pytest.mark.parametrize("place", [-1, -500])
def test_a_flipped_bit_is_told(saved: Path, place: int) -> None:
    content = bytearray(saved.read_bytes())
    content[place] ^= 1
    saved.write_bytes(content)
    with pytest.raises(CheckpointError, match="checksum"):
        Panel.load(saved)


def test_a_changed_text_is_told(saved: Path) -> None:
    raw = saved.read_bytes()
    assert raw.count(b"drawn") == 1
    saved.write_bytes(raw.replace(b"drawn", b"drown"))
    with pytest.raises(CheckpointError, match="checksum"):
        Panel.load(saved)


def test_other_weights_are_no_panel(tmp_path: Path) -> None:
    save_file({"fc.weight": torch.zeros(2, 2)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="not a fitted panel"):
        Panel.load(tmp_path / "model.safetensors")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG and more")
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        Panel.load(tmp_path / "photo.png")
    with pytest.raises(CheckpointError):
        Panel.load(tmp_path)


@pytest.mark.parametrize("version", ["2", "99", "", "one"])
def test_a_newer_version_is_told(saved: Path, version: str) -> None:
    with pytest.raises(CheckpointError, match="newer version"):
        Panel.load(rewritten(saved, format=version))


@pytest.mark.parametrize(
    "member",
    [
        {"scorer": "knm", "class": "KNNFitted", "fields": {}},
        {"scorer": "os", "class": "system", "fields": {"command": {"value": "true"}}},
        {"scorer": "knn", "class": "torch", "fields": {}},
        {"scorer": "knn", "class": "KNN", "fields": {}},
        {"scorer": "knn", "class": "Fitted", "fields": {}},
        {"scorer": "knn", "class": "KNNFitted", "fields": {"k": {"value": 1}}},
        {
            "scorer": "knn",
            "class": "KNNFitted",
            "fields": {"k": {"value": 1}, "rows": {"tensor": "no", "turned": False}},
        },
        {"import": "os"},
        7,
    ],
)
def test_foreign_entries_make_a_sentence_and_run_nothing(saved: Path, member: object) -> None:
    text = {**content(saved), "members": [["knn", member]]}
    with pytest.raises(CheckpointError, match=r"panel\.safetensors"):
        Panel.load(rewritten(saved, panel=json.dumps(text)))


@pytest.mark.parametrize("text", ["{}", "[]", "no json", '{"members": 3}'])
def test_a_text_that_is_no_panel_makes_a_sentence(saved: Path, text: str) -> None:
    with pytest.raises(CheckpointError, match="does not fit"):
        Panel.load(rewritten(saved, panel=text))


def test_a_place_that_cannot_be_written_is_told(setup, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot be saved"):
        Panel(["energy"]).fit(setup.bank).save(tmp_path / "file" / "panel.safetensors")


@pytest.mark.parametrize(
    "change",
    [
        {"members": [["a", {"tensor": "knn.rows", "turned": False}]]},
        {"members": [["energy", {"tensor": "energy.calibration", "turned": True}]]},
        {"settings": [1]},
        {"settings": {}},
    ],
)
def test_statistics_that_are_no_scorer_or_have_no_settings_are_told(saved: Path, change: dict) -> None:
    text = json.dumps({**content(saved), **change})
    with pytest.raises(CheckpointError):
        Panel.load(rewritten(saved, panel=text))


def test_json_nested_without_end_is_told(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="does not fit"):
        Panel.load(rewritten(saved, panel="[" * 100_000))
