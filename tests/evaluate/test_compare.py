from pathlib import Path

import pytest
import torch

import oodcore
from oodcore.data import ArraySet
from oodcore.data.catalogue import open_set
from oodcore.errors import DataError
from oodcore.evaluate import Work, evaluate, fit_panel
from oodcore.metrics import auroc, fpr_at_recall
from oodcore.models import Classifier, build
from oodcore.panel import FittedPanel, Panel

CLASSES = ("cat", "dog", "ship")


def pictures(n: int, seed: int, name: str, classes: tuple[str, ...] = CLASSES, coding: str = "lossless") -> ArraySet:
    dice = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8, generator=dice)
    keys = [f"{name}/{i}" for i in range(n)]
    return ArraySet(images, torch.arange(n) % len(classes), keys, name, "id", classes, coding)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def model() -> Classifier:
    torch.manual_seed(0)
    return build("resnet-20-w4", CLASSES).eval()


@pytest.fixture(scope="module")
def panel(model: Classifier) -> FittedPanel:
    return fit_panel(model, pictures(60, 1, "pets"), pictures(30, 2, "pets"), ["energy", "mahalanobis"])


TEST, FAR = pictures(40, 3, "pets"), pictures(25, 4, "far", ("fog", "Dog"))


def test_every_value_is_the_metric_of_the_scores(model: Classifier, panel: FittedPanel) -> None:
    found = evaluate(model, panel, TEST, [FAR], checkpoint="small")
    scores = [panel.score(model, model.transform(images.images)) for images in (TEST, FAR)]
    assert [(row.checkpoint, row.id_set, row.ood_set, row.scorer) for row in found.report.rows] == [
        ("small", "pets", "far", "energy"),
        ("small", "pets", "far", "mahalanobis"),
    ]
    for row in found.report.rows:
        inside, outside = (each[row.scorer] for each in scores)
        assert row.values["auroc"] == pytest.approx(auroc(inside, outside), abs=1e-3)
        for positive in ("ood", "id"):
            expected = fpr_at_recall(inside, outside, positive=positive)
            assert row.values[f"fpr95_{positive}_positive"] == pytest.approx(expected, abs=0.03)


def test_accuracy_is_that_of_the_network(model: Classifier, panel: FittedPanel) -> None:
    found = evaluate(model, panel, TEST, [FAR]).closed_set
    with torch.no_grad():
        hits = model(model.transform(TEST.images)).logits.argmax(1) == TEST.labels
    assert found is not None
    assert (found.n, found.accuracy) == (40, pytest.approx(float(hits.double().mean())))


def test_without_labels_of_its_classes_there_is_no_accuracy(model: Classifier, panel: FittedPanel) -> None:
    other = pictures(20, 5, "cars", ("car", "bus"))
    assert evaluate(model, panel, other, [FAR]).closed_set is None


def test_doubts_stand_beside_the_rows(model: Classifier, panel: FittedPanel) -> None:
    rows = evaluate(model, panel, TEST, [FAR]).report.rows
    codes = {row.scorer: {finding.code for finding in row.findings} for row in rows}
    assert {"OOD003", "OOD004"} <= codes["energy"]  # the set shows dogs, and is small
    assert "OOD006" in codes["mahalanobis"]  # 60 rows for 16 dimensions
    assert "OOD006" not in codes["energy"]


def test_mixed_codings_are_refused_unless_the_network_codes_its_input(model: Classifier, panel: FittedPanel) -> None:
    with pytest.raises(DataError, match="compression alone"):
        evaluate(model, panel, TEST, [FAR, pictures(9, 6, "coded", coding="jpeg75")])


def test_test_images_among_the_training_outliers_are_refused(model: Classifier, panel: FittedPanel) -> None:
    auxiliary = FAR.take([7]).relabel(torch.tensor([0]), ("fog",), "aux")
    with pytest.raises(DataError, match="training outliers 'aux'"):
        evaluate(model, panel, TEST, [FAR], auxiliary=[auxiliary])


@pytest.mark.parametrize(("n", "seed", "part"), [(60, 1, "fit"), (30, 2, "calibration")])
def test_an_id_test_that_the_panel_has_seen_is_refused(
    model: Classifier, panel: FittedPanel, n: int, seed: int, part: str
) -> None:
    with pytest.raises(DataError, match=f"panel's {part} used these same images"):
        evaluate(model, panel, pictures(n, seed, "pets"), [FAR])


def test_intervals_come_for_every_metric_when_asked(model: Classifier, panel: FittedPanel) -> None:
    few = evaluate(model, panel.subset(["energy"]), TEST, [FAR]).report.rows[0]
    all_of_them = evaluate(model, panel.subset(["energy"]), TEST, [FAR], intervals=True).report.rows[0]
    assert set(few.intervals) == {"auroc"}
    assert set(all_of_them.intervals) == set(all_of_them.values)


def test_progress_names_every_set(model: Classifier, panel: FittedPanel) -> None:
    seen: list[str] = []
    evaluate(model, panel, TEST, [FAR], Work(progress=lambda stage, done, total: seen.append(stage)))
    assert seen == ["Collecting pets", "Collecting far"]


# AUROC of MSP and energy that the data's own description gives for ResNet-56, in per cent; three of its seven sets.
MANIFEST = {"dtd10": (85.5, 85.0), "mnist": (92.6, 97.9), "tin25": (87.9, 89.2)}


@pytest.mark.slow
def test_published_weights_on_real_images_give_the_recorded_aurocs(data_root: Path, tmp_path: Path) -> None:
    import tarfile

    with tarfile.open(data_root / "ckpt_resnet_cifar10.tar") as tar:
        name = next(name for name in tar.getnames() if "resnet56" in name)
        tar.extract(name, tmp_path, filter="data")
    model = oodcore.load(tmp_path / name)
    sets = [open_set(f"ood-{short}-clean", root=data_root) for short in MANIFEST]
    found = evaluate(model, Panel(["msp", "energy"]).fit(), open_set("cifar10-clean", root=data_root), sets)
    assert found.closed_set is not None
    assert found.closed_set.accuracy == pytest.approx(0.926, abs=5e-4)
    for row in found.report.rows:
        expected = MANIFEST[row.ood_set.removeprefix("ood-").removesuffix("-clean")][row.scorer == "energy"]
        assert 100 * row.values["auroc"] == pytest.approx(expected, abs=0.1), (row.ood_set, row.scorer)
