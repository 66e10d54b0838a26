"""The script that ships checkpoints refuses what is not done or too large, and leaves nothing half-done."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

from oodcore.checkpoint import Card, save
from oodcore.checkpoint.places import manifest
from oodcore.errors import CheckpointError
from oodcore.jobs import RunFolder, Status
from oodcore.models import Classifier
from oodcore.panel import Panel
from oodcore.records import Bank

SCRIPT = Path(__file__).parents[2] / "checkpoints" / "build.py"


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, on a folder of its own."""
    spec = importlib.util.spec_from_file_location("checkpoints_build", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / ".gitignore").write_text("dist/\n/checkpoints/*/\n!/checkpoints/shapes-*/\nbuild/\n")
    monkeypatch.setattr(module, "HERE", tmp_path / "checkpoints")
    monkeypatch.setattr(module, "IGNORED", tmp_path / ".gitignore")
    return module


@pytest.fixture
def done(model: Classifier, bank: Bank, tmp_path: Path) -> RunFolder:
    """A finished and completed run."""
    place = RunFolder(tmp_path / "run")
    place.path.mkdir()
    place.tell(Status("finished", 3, 3))
    panel = Panel(["energy"]).fit(bank)
    save(place.checkpoint, model, Card.of(model), panel=panel, reference={"id": bank}, prior=torch.tensor([1, 2, 3]))
    return place


def test_what_is_shipped_is_listed_and_kept_in_version_control(
    build: ModuleType, done: RunFolder, tmp_path: Path
) -> None:
    for _ in range(2):
        build.ship(done, "tiny")
    folder = tmp_path / "checkpoints" / "tiny"
    assert {path.name for path in folder.iterdir()} == {path.name for path in done.checkpoint.iterdir()}
    assert set(manifest(tmp_path / "checkpoints")) == {f"tiny/{path.name}" for path in folder.iterdir()}
    assert (folder / "model.safetensors").read_bytes() == (done.checkpoint / "model.safetensors").read_bytes()
    rules = (tmp_path / ".gitignore").read_text().splitlines()
    assert rules == ["dist/", "/checkpoints/*/", "!/checkpoints/tiny/", "!/checkpoints/shapes-*/", "build/"]


def test_a_name_that_is_kept_anyway_gets_no_rule(build: ModuleType, done: RunFolder, tmp_path: Path) -> None:
    before = (tmp_path / ".gitignore").read_text()
    build.ship(done, "shapes-tiny")
    assert (tmp_path / ".gitignore").read_text() == before


def test_a_run_that_goes_on_is_refused(build: ModuleType, done: RunFolder) -> None:
    done.tell(Status("running", 2, 3))
    with pytest.raises(CheckpointError, match="is not finished"):
        build.ship(done, "tiny")


def test_a_checkpoint_without_its_panel_is_refused(build: ModuleType, done: RunFolder, tmp_path: Path) -> None:
    (done.checkpoint / "panel.safetensors").unlink()
    with pytest.raises(CheckpointError, match="lacks one of"):
        build.ship(done, "tiny")
    assert not list((tmp_path / "checkpoints").iterdir())


@pytest.mark.parametrize("limit", ["LARGEST_FILE", "LARGEST_SUM"])
def test_what_is_too_large_is_refused(
    build: ModuleType, done: RunFolder, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.ship(done, "first")
    sizes = [path.stat().st_size for path in done.checkpoint.iterdir()]
    monkeypatch.setattr(build, limit, max(sizes) - 1 if limit == "LARGEST_FILE" else 2 * sum(sizes) - 1)
    with pytest.raises(CheckpointError, match="may ship"):
        build.ship(done, "second")
    if limit == "LARGEST_SUM":
        build.ship(done, "first")  # replaced, not added


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden"])
def test_a_name_that_is_no_folder_name_is_refused(build: ModuleType, done: RunFolder, name: str) -> None:
    with pytest.raises(CheckpointError, match="is no name"):
        build.ship(done, name)


def test_only_the_family_is_made_anew(build: ModuleType) -> None:
    with pytest.raises(CheckpointError, match="has no shapes-vgg"):
        build.make_shapes(["shapes-vgg"])
