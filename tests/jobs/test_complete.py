import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch

from oodcore.checkpoint import Card, load, load_energies, load_prior, load_reference, read_card, save
from oodcore.data import ArraySet, entry
from oodcore.errors import DataError, UnknownNameError
from oodcore.evaluate import Evaluation
from oodcore.jobs import complete as module
from oodcore.jobs.complete import complete
from oodcore.metrics import accuracy, auroc, fpr_at_recall
from oodcore.models import build
from oodcore.panel import Panel
from oodcore.priors import logit_adjust, outlier_counts

COUNTS = {"train": 400, "calibration": 120, "test": 150}
SCORERS = ["energy", "msp", "mahalanobis"]
CLASSES = tuple(f"kind {c}" for c in range(10))


@cache
def pictures(name: str, split: str) -> ArraySet:
    """Noise around a grey that tells the class; other sets are brighter, and show one class of their own."""
    n, inside = COUNTS[split], name == "shapes"
    dice = torch.Generator().manual_seed(zlib.crc32(f"{name} {split}".encode()))
    labels = torch.arange(n) % (len(CLASSES) if inside else 1)
    middle = (40 + 15 * labels if inside else torch.full((n,), 220)).view(-1, 1, 1, 1)
    images = (middle + 25 * torch.randn(n, 3, 32, 32, generator=dice)).clamp(0, 255).to(torch.uint8)
    return ArraySet(images, labels, [f"{name}/{i}" for i in range(n)], name, "id", CLASSES if inside else ("fog",))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small sets under names of the catalogue."""

    def opened(name: str, split: str, *rest: object) -> ArraySet:
        entry(name)  # raises what there is to raise
        return pictures(name, split)

    monkeypatch.setattr(module, "open_set", opened)


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., Path]:
    """A network as a run leaves it: weights and card."""

    def make(**data: object) -> Path:
        model = build("resnet-20-w4", CLASSES).eval()
        recipe = {"data": {"inliers": "shapes", "outliers": None, "long_tail": None} | data}
        return save(tmp_path / "checkpoint", model, Card.of(model, title="Small", recipe=recipe, seed=3))

    return make


def completed(folder: Path, **changes: object) -> Evaluation:
    settings = {"id_set": "shapes", "ood_sets": ["shapes-near", "shapes-far"], "scorers": SCORERS, "bank_rows": 100}
    return complete(folder, **(settings | changes))  # type: ignore[arg-type]


def numbers(folder: Path, name: str, **where: object) -> list[float]:
    found = [entry for entry in read_card(folder).metrics if entry["name"] == name]
    return [entry["value"] for entry in found if all(entry[key] == value for key, value in where.items())]


@pytest.mark.usefixtures("few")
def test_the_card_says_what_the_network_reaches(trained: Callable[..., Path]) -> None:
    folder = trained()
    model = load(folder)
    found = completed(folder)
    test, near = (pictures(name, "test") for name in ("shapes", "shapes-near"))
    with torch.no_grad():
        inside, outside = (model(model.transform(images.images)).logits for images in (test, near))
    energies = [-part.logsumexp(1) for part in (inside, outside)]
    where = {"scorer": "energy", "ood_set": "shapes-near/test"}
    assert numbers(folder, "accuracy") == [pytest.approx(accuracy(inside, test.labels))]
    assert numbers(folder, "auroc", **where) == [pytest.approx(auroc(*energies), abs=1e-3)]
    for positive in ("ood", "id"):
        expected = fpr_at_recall(*energies, positive=positive)
        assert numbers(folder, f"fpr95_{positive}_positive", **where) == [pytest.approx(expected, abs=0.02)]
    assert len(found.report.rows) == 2 * len(SCORERS)


@pytest.mark.usefixtures("few")
def test_the_panel_is_fitted_on_the_stated_number_of_rows_and_thresholds_keep_what_they_promise(
    trained: Callable[..., Path],
) -> None:
    folder = trained()
    completed(folder)
    panel, card = Panel.load(folder / "panel.safetensors"), read_card(folder)
    assert (panel.about["fit"]["n"], panel.about["calibration"]["n"]) == (100, COUNTS["calibration"])
    assert set(card.thresholds["scores"]) == set(SCORERS)
    calibration = pictures("shapes", "calibration")
    scores = panel.score(load(folder), calibration.images)["energy"]
    assert (scores <= card.thresholds["scores"]["energy"] + 1e-4).double().mean().item() >= 0.95


def test_every_class_keeps_its_share_of_the_bank_in_any_order_of_the_images() -> None:
    alternating, sorted_ = torch.arange(400) % 4, torch.arange(400) // 100
    for labels in (alternating, sorted_, alternating[torch.randperm(400)]):
        rows = module.spread_over_classes(labels, 40)
        assert labels[rows].bincount().tolist() == [10, 10, 10, 10]
        assert rows.tolist() == sorted(set(rows.tolist()))
    assert module.spread_over_classes(sorted_, 1000).tolist() == list(range(400))


@pytest.mark.usefixtures("few")
def test_the_weights_stay_as_they_were(trained: Callable[..., Path]) -> None:
    folder = trained()
    before = load(folder).state_dict()
    completed(folder)
    after = load(folder).state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert read_card(folder).seed == 3


@pytest.mark.usefixtures("few")
def test_the_reference_holds_every_energy_and_the_outliers_that_were_held_out(trained: Callable[..., Path]) -> None:
    folder = trained()
    completed(folder, auxiliary=["shapes-aux"])
    expected = {"shapes": 150, "shapes-near": 150, "shapes-far": 150, "shapes-aux": 120}
    assert {name: len(values) for name, values in load_energies(folder).items()} == expected
    assert set(load_reference(folder)) == set(expected)


@pytest.mark.usefixtures("few")
def test_the_prior_is_the_one_of_the_training_or_else_counted_now(trained: Callable[..., Path], tmp_path: Path) -> None:
    folder = trained(outliers="shapes-aux")
    completed(folder)
    model, outliers = load(folder), pictures("shapes-aux", "train")
    with torch.no_grad():
        counts = outlier_counts(model(model.transform(outliers.images)).logits)
    own = load_prior(folder)
    assert own is not None
    assert own.tolist() == counts.tolist()
    card = read_card(folder)
    recorded = list(range(1, 11))
    model.card = None
    recipe = {**card.recipe, "outlier_prior": recorded}
    tuned = save(tmp_path / "tuned", model, Card.of(model, recipe=recipe))
    completed(tuned)
    kept = load_prior(tuned)
    assert kept is not None
    assert kept.tolist() == recorded


@pytest.mark.usefixtures("few")
def test_a_long_tail_is_fitted_on_its_own_images_and_told_by_frequency(trained: Callable[..., Path]) -> None:
    folder = trained(long_tail=0.1)
    completed(folder, bank_rows=10_000)
    counts = [40, 30, 23, 18, 14, 11, 8, 6, 5, 4]
    assert Panel.load(folder / "panel.safetensors").about["fit"]["n"] == sum(counts)
    test, model = pictures("shapes", "test"), load(folder)
    with torch.no_grad():
        adjusted = logit_adjust(model(model.transform(test.images)).logits.double(), torch.tensor(counts))
    assert numbers(folder, "accuracy_adjusted") == [pytest.approx(accuracy(adjusted, test.labels), abs=1e-3)]
    hits = (adjusted.argmax(1) == test.labels).double()
    few = hits[test.labels >= 7].mean().item()  # each class has the same number of test images
    assert numbers(folder, "accuracy_adjusted_few") == [pytest.approx(few, abs=1e-3)]
    assert len(numbers(folder, "accuracy_many")) == 1


@pytest.mark.usefixtures("few")
def test_a_left_out_scorer_is_neither_fitted_nor_reported(trained: Callable[..., Path]) -> None:
    found = completed(trained(), scorers="all", without=["odin", "knn"])
    names = {row.scorer for row in found.report.rows}
    assert names.isdisjoint({"odin", "knn"})
    assert {"energy", "vim", "feature_norm"} <= names


def test_a_test_image_among_the_outliers_is_refused_and_the_checkpoint_stays(
    trained: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(name: str, split: str, *rest: object) -> ArraySet:
        return pictures("shapes-aux", "train") if name == "shapes-near" else pictures(name, split)

    folder = trained()
    monkeypatch.setattr(module, "open_set", opened)
    with pytest.raises(DataError, match="training outliers"):
        completed(folder, auxiliary=["shapes-aux"])
    assert {path.name for path in folder.iterdir()} == {"card.json", "model.safetensors"}


@pytest.mark.usefixtures("few")
def test_an_unknown_set_is_told_with_a_proposal(trained: Callable[..., Path]) -> None:
    with pytest.raises(UnknownNameError, match="shapes-near"):
        completed(trained(), ood_sets=["shapes-nera"])
