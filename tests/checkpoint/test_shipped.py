"""What is shipped is whole, small, and does what its cards say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import oodcore
from oodcore.checkpoint import folder_of, load_energies, load_prior, load_reference, read_card, shipped
from oodcore.data import ArraySet, entry, open_set
from oodcore.evaluate import evaluate
from oodcore.metrics import auroc, fpr_at_recall
from oodcore.panel import FittedPanel, Panel

MEGABYTE = 10**6
BASELINE = "shapes-resnet20w4"
FAMILY = {BASELINE, *(f"{BASELINE}-{loss}" for loss in ("oe", "energy", "balanced", "semantic"))}
EVERY = shipped()
TUNED = [name for name in EVERY if read_card(folder_of(name)).parent in EVERY]
HINGED = [name for name in TUNED if "margin_in" in read_card(folder_of(name)).recipe["loss"]]
DRAWN = [name for name in EVERY if name.startswith("shapes-")]
NEAR = "shapes-near"


def files(name: str) -> list[Path]:
    return [path for path in folder_of(name).iterdir() if path.is_file()]


def number(name: str, /, **wanted: str) -> float:
    """The one number on the card that all of this is true of."""
    found = [each for each in read_card(folder_of(name)).metrics if wanted.items() <= each.items()]
    assert len(found) == 1, f"{name}: {len(found)} numbers are {wanted}"
    return float(found[0]["value"])


def sides(name: str) -> dict[str, str]:
    """In-distribution set and first OOD set of a card, by their names in the reference."""
    metrics = read_card(folder_of(name)).metrics
    first = next(each for each in metrics if each["name"] == "auroc" and each["scorer"] == "energy")
    return {key: first[key].removesuffix("/test") for key in ("id_set", "ood_set")}


@pytest.fixture(scope="module")
def drawn() -> Mapping[str, ArraySet]:
    sets = {name: open_set(name, "test") for name in ("shapes", NEAR)}
    assert all(isinstance(images, ArraySet) for images in sets.values())
    return sets  # type: ignore[return-value]


def test_the_drawn_family_is_there() -> None:
    assert set(EVERY) >= FAMILY


def test_all_fit_into_a_quick_clone() -> None:
    sizes = {path: path.stat().st_size for name in EVERY for path in files(name)}
    assert max(sizes.values()) <= 20 * MEGABYTE
    assert sum(sizes.values()) <= 60 * MEGABYTE


@pytest.mark.parametrize("name", EVERY)
def test_each_has_all_its_parts(name: str) -> None:
    assert {path.name for path in files(name)} >= {
        "card.json",
        "layout.safetensors",
        "model.safetensors",
        "panel.safetensors",
        "reference.safetensors",
    }
    model, panel = oodcore.load(name), Panel.load(folder_of(name) / "panel.safetensors")
    panel.check(model)
    assert set(panel.thresholds(0.95)) == set(panel.names)
    card = model.card
    assert card.title
    assert card.licence
    assert card.notes
    assert card.recipe["budget"]["steps"] > 0
    assert card.thresholds["scores"].keys() == set(panel.names)
    prior = load_prior(name)
    assert prior is not None
    assert prior.shape == (len(card.classes),)
    assert len(load_reference(name)) >= 3


@pytest.mark.parametrize("name", EVERY)
def test_a_card_agrees_with_the_reference_beside_it(name: str) -> None:
    sets, energies = sides(name), load_energies(name)
    inside, outside = energies[sets["id_set"]], energies[sets["ood_set"]]
    about = {"scorer": "energy", "id_set": f"{sets['id_set']}/test", "ood_set": f"{sets['ood_set']}/test"}
    assert auroc(inside, outside) == pytest.approx(number(name, name="auroc", **about), abs=1e-3)
    rate = fpr_at_recall(inside, outside, positive="id")
    assert rate == pytest.approx(number(name, name="fpr95_id_positive", **about), abs=1e-3)


@pytest.mark.parametrize("name", DRAWN)
def test_a_card_is_reproduced_from_pictures_drawn_anew(name: str, drawn: Mapping[str, ArraySet]) -> None:
    folder = folder_of(name)
    panel: FittedPanel = Panel.load(folder / "panel.safetensors").subset(["energy", "knn"])
    found = evaluate(oodcore.load(folder), panel, drawn["shapes"], [drawn[NEAR]])
    assert found.closed_set is not None
    assert found.closed_set.accuracy == pytest.approx(number(name, name="accuracy", set="shapes/test"), abs=1e-3)
    for row in found.report.rows:
        for metric in ("auroc", "fpr95_id_positive"):
            known = number(name, name=metric, scorer=row.scorer, ood_set=f"{NEAR}/test")
            assert row.values[metric] == pytest.approx(known, abs=1e-3)


def test_the_baseline_is_good_but_not_perfect() -> None:
    assert 0.85 <= number(BASELINE, name="accuracy") <= 0.97
    assert 0.70 <= number(BASELINE, name="auroc", scorer="energy", ood_set=f"{NEAR}/test") <= 0.97


@pytest.mark.parametrize("name", TUNED)
def test_fine_tuning_kept_most_of_the_accuracy(name: str) -> None:
    parent = read_card(folder_of(name)).parent
    test = f"{sides(name)['id_set']}/test"
    assert number(name, name="accuracy", set=test) > number(str(parent), name="accuracy", set=test) - 0.1


@pytest.mark.parametrize("name", TUNED)
def test_fine_tuning_knows_its_outliers_better_than_its_parent_did(name: str) -> None:
    card = read_card(folder_of(name))
    assert entry(card.recipe["data"]["outliers"]).role == "auxiliary"
    areas = {each: auroc(*apart(each, card.recipe)) for each in (name, str(card.parent))}
    assert areas[name] > areas[str(card.parent)] + 0.02


@pytest.mark.parametrize("name", HINGED)
def test_hinges_moved_energies_apart(name: str) -> None:
    card = read_card(folder_of(name))
    gaps = {}
    for each in (name, str(card.parent)):
        inside, outside = apart(each, card.recipe)
        gaps[each] = float(outside.median() - inside.median())
    assert gaps[name] > 1.2 * gaps[str(card.parent)]


def apart(name: str, recipe: Mapping[str, Any]) -> tuple[Any, Any]:
    """Energies of known test images, and of outliers like those of the training that were not trained on."""
    energies = load_energies(name)
    return energies[sides(name)["id_set"]], energies[recipe["data"]["outliers"]]
