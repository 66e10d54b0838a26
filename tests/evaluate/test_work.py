import pytest
import torch

from oodcore.data import ArraySet
from oodcore.errors import ScoreError
from oodcore.evaluate import Work, scores_of
from oodcore.models import Classifier, build
from oodcore.models.fingerprint import weights_hash
from oodcore.panel import FittedPanel, Panel

CLASSES = ("cat", "dog", "ship")


@pytest.fixture
def model() -> Classifier:
    return build("resnet-8-w2", CLASSES).eval()


@pytest.fixture
def panel(model: Classifier) -> FittedPanel:
    return Panel(["energy", "odin"]).fit(about={"weights": weights_hash(model)})


@pytest.fixture
def images() -> ArraySet:
    pixels = torch.randint(0, 256, (10, 3, 32, 32), dtype=torch.uint8)
    return ArraySet(pixels, torch.arange(10) % 3, [str(row) for row in range(10)], classes=CLASSES)


def test_the_weights_are_hashed_once_however_many_batches_are_differentiated(
    model: Classifier, panel: FittedPanel, images: ArraySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []

    def counted(network: Classifier) -> str:
        hashed.append(network)
        return weights_hash(network)

    monkeypatch.setattr("oodcore.panel.fitted.weights_hash", counted)
    scores_of(panel, model, images, Work(batch_size=3))
    assert hashed == [model]


def test_scores_of_batches_are_those_of_the_panel(model: Classifier, panel: FittedPanel, images: ArraySet) -> None:
    found, bank = scores_of(panel, model, images, Work(batch_size=3))
    assert len(bank) == 10
    for name, expected in panel.score(model, images.images).items():
        torch.testing.assert_close(found[name], expected, rtol=1e-5, atol=1e-5)


def test_gradient_scores_of_another_network_are_refused(panel: FittedPanel, images: ArraySet) -> None:
    with pytest.raises(ScoreError, match="fitted on a network with weights"):
        scores_of(panel.subset(["odin"]), build("resnet-8-w2", CLASSES).eval(), images)
