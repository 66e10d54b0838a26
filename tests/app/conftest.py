"""A throw-away checkpoint: a real network, panel and reference, made in a few seconds."""

import sys
from pathlib import Path

import pytest
import torch

from oodcore.checkpoint import Card, save
from oodcore.data.procedural import procedural
from oodcore.models import Network, build
from oodcore.models.collect import collect
from oodcore.panel import Panel


@pytest.fixture(autouse=True)
def _own_main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """`AppTest` leaves its script as the main module, which processes that are started later would run."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


NAMES = ("energy", "msp", "knn", "mahalanobis")


def trained() -> Network:
    """Thirty steps of a small one: enough that scores differ from picture to picture."""
    torch.manual_seed(0)
    images = procedural("shapes", "train", count=960)
    model = build("resnet-8-w4", images.classes)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model.train()
    for batch in images.batches(32):
        loss = torch.nn.functional.cross_entropy(model(model.transform.normalise(batch.images)).logits, batch.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with the checkpoints `tiny` and, without a panel, `bare`."""
    cache = tmp_path_factory.mktemp("cache")
    model = trained()
    model.notes = ["Assumed: mean and std of CIFAR-10, for the weights carry none."]
    panel = Panel(NAMES).fit(collect(model, procedural("shapes", "train", count=400)), about={"data": "shapes"})
    calibration = collect(model, procedural("shapes", "calibration", count=300))
    reference = {name: collect(model, procedural(name, "test", count=80)) for name in ("shapes", "shapes-far")}
    card = Card.of(model, title="A test")
    save(cache / "checkpoints" / "tiny", model, card, panel=panel.calibrate(calibration.outputs), reference=reference)
    save(cache / "checkpoints" / "bare", model, card)
    return cache


@pytest.fixture
def served(checkpoints: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder in which this process finds its checkpoints."""
    monkeypatch.setenv("OOD_CACHE", str(checkpoints))
    monkeypatch.chdir(tmp_path)
    return checkpoints / "checkpoints"
