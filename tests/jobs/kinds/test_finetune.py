"""A fine-tuning from order to result, stopped and taken up on the way."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from oodcore.checkpoint import Card, load, save
from oodcore.data import drawn_once
from oodcore.data.procedural import procedural
from oodcore.errors import DataError
from oodcore.evaluate import Work
from oodcore.functional import free_energy
from oodcore.jobs import kinds
from oodcore.jobs.comparison import Comparison
from oodcore.jobs.folder import RunFolder
from oodcore.jobs.kinds import StoppedError, finetune
from oodcore.metrics import auroc
from oodcore.models import build
from oodcore.models.collect import collect
from oodcore.panel import Panel


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Drawn sets of a few hundred pictures, and a cache of this test's own."""
    monkeypatch.setenv("OOD_CACHE", str(tmp_path / "cache"))

    def drawn(name: str, split: Any, imbalance: float = 1.0) -> Any:
        return procedural(name, split, count={"train": 240}.get(split, 100), imbalance=imbalance)

    monkeypatch.setattr(drawn_once, "drawn_once", drawn)


@pytest.fixture
def start(few: None, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = build("resnet-8-w4", procedural("shapes", "train", count=10).classes).eval()
    return save(tmp_path / "start", model, Card.of(model, title="A start"))


def ordered(start: Path, **train: Any) -> dict[str, Any]:
    return {
        "experiment": {
            "title": "A small one",
            "model": {"checkpoint": str(start)},
            "data": {"inliers": "shapes", "outliers": "shapes-aux-50", "not_tested": ["shapes-far"]},
            "loss": {"name": "energy", "margin_in": -3.0, "margin_out": -2.0},
            "train": {"steps": 3, "batch": 8, "outlier_batch": 8, "lr": 0.01, **train},
            "validation": {"every": 2, "limit": 20},
        },
        "evaluation": {
            "id_set": "shapes",
            "ood_sets": ["shapes-far"],
            "scorers": ["energy", "msp"],
            "bank_rows": 80,
            "limit": 60,
        },
    }


def test_the_result_is_a_whole_checkpoint_and_a_comparison(start: Path, tmp_path: Path) -> None:
    place = RunFolder(tmp_path / "job")
    place.path.mkdir()
    events = list(finetune.work(ordered(start), place, root=None))
    assert next(event.kind for event in events if event.values) == "prepared"
    assert events[-1].kind == "finished"
    assert all(event.values["steps"] == 3 for event in events if event.values)
    made = place.path / "result" / finetune.CHECKPOINT
    model, panel = load(made), Panel.load(made / "panel.safetensors")
    assert sorted(panel.calibrations) == ["energy", "msp"]
    found = Comparison.read(place.path / "result" / finetune.COMPARISON)
    assert (found.id_set, found.ood_sets) == ("shapes", ["shapes-far"])
    assert len(found.energies("before", "shapes")) == 60
    for when, network in (("before", load(start)), ("after", model)):
        energies = free_energy(collect(network, procedural("shapes-far", "test", count=100)).outputs.logits)
        told = torch.tensor(found.energies(when, "shapes-far"))  # type: ignore[arg-type]
        assert float((told[:, None] - energies.double()).abs().amin(dim=1).max()) < 1e-4
    assert found.changes("shapes-far")[0].after == pytest.approx(
        float(
            auroc(torch.tensor(found.energies("after", "shapes")), torch.tensor(found.energies("after", "shapes-far")))
        )
    )
    assert not (place.path / "passes").exists()
    assert [event.kind for event in finetune.work(ordered(start), place, root=None)] == ["finished"]


def test_stopped_between_steps_it_goes_on_from_there(start: Path, tmp_path: Path) -> None:
    place = RunFolder(tmp_path / "job")
    place.path.mkdir()
    events = finetune.work(ordered(start), place, root=None)
    for event in events:
        if event.kind == "step" and event.step == 2:
            events.close()  # type: ignore[attr-defined]
            break
    assert RunFolder(place.path / "training").status.state == "cancelled"  # type: ignore[union-attr]
    again = list(finetune.work(ordered(start), place, root=None))
    assert again[0].kind == "resumed"
    assert [event.step for event in again if event.kind == "step"] == [3]
    assert (place.path / "result").is_dir()


def test_killed_while_it_measured_it_only_measures(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = RunFolder(tmp_path / "job")
    place.path.mkdir()
    (place.path / ".result").mkdir()
    (place.path / ".result" / "half").write_text("")
    with monkeypatch.context() as patch:
        patch.setattr(finetune, "_hand_over", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            list(finetune.work(ordered(start), place, root=None))
    again = list(finetune.work(ordered(start), place, root=None))
    assert not [event for event in again if event.kind == "step"]
    assert not (place.path / "result" / "half").exists()
    assert (place.path / "result" / finetune.CHECKPOINT / "panel.safetensors").is_file()


def test_it_stops_inside_a_pass(start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "OFTEN", 0.0)
    place = RunFolder(tmp_path / "job")
    place.path.mkdir()
    place.cancel()
    with pytest.raises(StoppedError):
        Work(progress=kinds.telling(place)).telling("Reading")(1, 2)


def test_a_loss_that_is_no_number_says_what_to_do(start: Path, tmp_path: Path) -> None:
    place = RunFolder(tmp_path / "job")
    place.path.mkdir()
    with pytest.raises(DataError, match=r"NaN or infinite\. Lower the learning rate \(it was 1e\+30\)"):
        list(finetune.work(ordered(start, lr=1e30, steps=8), place, root=None))


def test_steps_are_said(start: Path) -> None:
    assert finetune.steps(ordered(start)) == 3
    with pytest.raises(DataError, match="says its number of steps"):
        finetune.steps(ordered(start, steps=None))
    with pytest.raises(DataError, match="order of this run is damaged"):
        finetune.steps({"experiment": json.loads("[]"), "evaluation": {}})
