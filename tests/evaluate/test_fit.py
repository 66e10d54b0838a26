from pathlib import Path

import pytest
import torch
from torch import Tensor

from oodcore.checkpoint import Card
from oodcore.data import ArraySet
from oodcore.errors import DataError, ScoreError, UnknownNameError
from oodcore.evaluate import Work, as_trained, choose, fit_panel, make_reference, scores_of, tail_of
from oodcore.evaluate.work import bank_of, spread_rows
from oodcore.models import Classifier, build
from oodcore.panel import Panel
from oodcore.scorers.representation import Representation
from oodcore.scorers.semantic_energy import SemanticEnergy

CLASSES = ("cat", "dog", "ship")


def pictures(n: int, seed: int, classes: tuple[str, ...] = CLASSES, name: str = "pets") -> ArraySet:
    dice = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8, generator=dice)
    labels = torch.arange(n) % len(classes) if classes else torch.full((n,), -1)
    return ArraySet(images, labels, [f"{name}/{i}" for i in range(n)], name, "id", classes)


@pytest.fixture(scope="module")
def model() -> Classifier:
    torch.manual_seed(0)
    return build("resnet-20-w4", CLASSES).eval()


def test_a_panel_is_fitted_calibrated_and_says_on_what(model: Classifier) -> None:
    train, calibration = pictures(60, 1), pictures(40, 2)
    panel = fit_panel(model, train, calibration, ["energy", "mahalanobis", "knn"])
    assert panel.names == ("energy", "mahalanobis", "knn")
    assert {len(found) for found in panel.calibrations.values()} == {40}
    assert panel.about["fit"] == {"name": "pets", "n": 60, "digest": train.digest, "coding": "lossless"}
    assert panel.about["calibration"]["digest"] == calibration.digest
    assert panel.about["preprocessing"] == model.transform.to_json()
    assert panel.about["classes"] == list(CLASSES)


def test_statistics_and_thresholds_are_those_of_direct_calls(model: Classifier) -> None:
    train, calibration = pictures(60, 1), pictures(40, 2)
    panel = fit_panel(model, train, calibration, ["energy", "knn"], Work(batch_size=7))
    with torch.no_grad():
        outputs = model(model.transform(calibration.images))
        expected = panel(outputs)
    for name in panel.names:
        torch.testing.assert_close(panel.calibrations[name].scores, expected[name].sort().values, rtol=1e-4, atol=1e-5)


def test_of_a_long_tail_scorers_learn_from_the_images_that_were_trained_on(model: Classifier) -> None:
    train = pictures(90, 1)
    card = Card.of(model, recipe={"data": {"long_tail": 0.1}})
    seen = as_trained(card, train)
    assert list(seen.counts.values()) == [30, 9, 3]
    assert tail_of(card) == 0.1
    for other in (None, Card.of(model), Card.of(model, recipe={"data": {"long_tail": None}})):
        assert as_trained(other, train) is train


def test_all_leaves_out_what_the_network_cannot_serve_and_says_why(model: Classifier) -> None:
    choice = choose(model, "all")
    assert "energy" in choice.names
    assert "representation" not in choice.names
    assert "class centres" in choice.skipped["representation"]


def test_a_scorer_that_was_named_is_not_left_out_silently(model: Classifier) -> None:
    with pytest.raises(ScoreError, match="class centres"):
        choose(model, ["energy", "representation"])
    with pytest.raises(UnknownNameError, match="Did you mean 'knn'"):
        choose(model, ["knm"])


def test_all_may_be_joined_by_combinations(model: Classifier) -> None:
    choice = choose(model, ["all", "react+msp"])
    assert choice.names[-1] == "react+msp"
    assert len(set(choice.names)) == len(choice.names)


def test_images_on_both_sides_of_the_calibration_are_refused(model: Classifier) -> None:
    train = pictures(30, 1)
    with pytest.raises(DataError, match="2 images are in both"):
        fit_panel(model, train, train.take([3, 4]), ["energy"])


def test_classes_that_the_network_does_not_know_are_refused(model: Classifier) -> None:
    with pytest.raises(DataError, match=r"20 of 30 images .* no class of this network"):
        fit_panel(model, pictures(30, 1, ("cat", "car", "bus")), pictures(9, 2), ["energy"])


def test_the_selected_block_goes_into_feature_norm(model: Classifier) -> None:
    panel = fit_panel(model, pictures(30, 1), pictures(20, 2), ["feature_norm", "selected_norm"])
    block = panel.about["block"]["index"]
    assert panel.about["block"]["name"] == model.block_names[block]
    assert {panel.settings[name]["block"] for name in panel.names} == {block}


@pytest.mark.parametrize(
    ("loss", "distance", "temperature"),
    [
        ({"name": "semantic_energy", "distance": "euclidean", "temperature": None}, "euclidean", 1.0),
        ({"name": "semantic_energy", "distance": "cosine", "temperature": 0.3}, "cosine", 0.3),
        ({"name": "energy"}, "cosine", 0.1),
        (None, "cosine", 0.1),
    ],
)
def test_class_centres_are_read_with_the_distance_that_they_were_trained_with(
    loss: dict[str, object] | None, distance: str, temperature: float
) -> None:
    model = build("resnet-8-w4", CLASSES).eval()
    model.attach_centers(torch.randn(5, model.head.weight.shape[1]), torch.randn(3, 5))
    model.card = None if loss is None else Card.of(model, recipe={"loss": loss})
    panel = fit_panel(model, pictures(60, 1), pictures(40, 2), ["energy", "representation", "semantic_energy"])
    with torch.no_grad():
        outputs = model(model.transform(pictures(40, 2).images))
    bank, found = bank_of(model, pictures(60, 1), Work()), panel(outputs)
    torch.testing.assert_close(found["representation"], Representation(temperature, distance).fit(bank)(outputs))
    torch.testing.assert_close(found["semantic_energy"], SemanticEnergy(1.0, temperature, distance).fit(bank)(outputs))


def test_gradient_scorers_are_calibrated_with_the_rest(model: Classifier) -> None:
    panel = fit_panel(model, pictures(30, 1), pictures(20, 2), ["odin", "energy"])
    assert panel.gradient_names == ("odin",)
    direct = panel.score(model, pictures(20, 2).images)
    torch.testing.assert_close(panel.calibrations["odin"].scores, direct["odin"].sort().values, rtol=1e-4, atol=1e-5)


def test_a_second_fit_finds_its_passes_in_the_cache(model: Classifier, tmp_path: Path) -> None:
    seen: list[str] = []
    work = Work(cache=tmp_path, progress=lambda stage, done, total: seen.append(stage))
    first = fit_panel(model, pictures(30, 1), pictures(20, 2), ["knn"], work)
    passes = len(seen)
    second = fit_panel(model, pictures(30, 1), pictures(20, 2), ["knn"], work)
    assert passes > 0
    assert len(seen) == passes
    assert torch.equal(first.calibrations["knn"].scores, second.calibrations["knn"].scores)


def test_what_progress_raises_ends_the_work_and_nothing_is_left(model: Classifier, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_panel(model, pictures(30, 1), pictures(20, 2), ["energy"], Work(cache=tmp_path, progress=stop))
    assert list(tmp_path.rglob("*.safetensors")) == []


def test_a_panel_of_another_network_is_refused(model: Classifier) -> None:
    panel = fit_panel(model, pictures(30, 1), pictures(20, 2), ["energy"])
    torch.manual_seed(1)
    with pytest.raises(ScoreError, match="weights"):
        scores_of(panel, build("resnet-20-w4", CLASSES).eval(), pictures(5, 3))


def test_scores_do_not_depend_on_how_the_set_is_cut(model: Classifier) -> None:
    panel = Panel(["energy", "odin"]).fit()
    whole, _ = scores_of(panel, model, pictures(11, 3), Work(batch_size=11))
    pieces, _ = scores_of(panel, model, pictures(11, 3), Work(batch_size=4))
    for name in whole:
        torch.testing.assert_close(whole[name], pieces[name], rtol=1e-4, atol=1e-5)


def test_a_reference_holds_at_most_so_many_rows_from_all_over_the_set(model: Classifier) -> None:
    found = make_reference(model, {"test": pictures(25, 1), "far": pictures(4, 2, ())}, rows=10)
    assert {name: len(bank) for name, bank in found.items()} == {"test": 10, "far": 4}
    assert found["far"].labels.tolist() == [-1] * 4
    assert found["test"].outputs.norms is not None


@pytest.mark.parametrize(("n", "most", "rows"), [(4, 9, [0, 1, 2, 3]), (10, 5, [0, 2, 4, 6, 8]), (0, 5, [])])
def test_rows_are_spread_evenly(n: int, most: int, rows: list[int]) -> None:
    found: Tensor = spread_rows(n, most)
    assert found.tolist() == rows


@pytest.mark.gpu
def test_fits_and_scores_are_computed_where_the_network_is(model: Classifier) -> None:
    train, calibration, test = pictures(60, 1), pictures(40, 2), pictures(20, 3)
    expected = scores_of(fit_panel(model, train, calibration, ["energy", "knn", "odin"]), model, test)[0]
    model.to("cuda")
    try:
        panel = fit_panel(model, train, calibration, ["energy", "knn", "odin"])
        assert panel.members["knn"].rows.device.type == "cuda"
        found, _ = scores_of(panel, model, test)
    finally:
        model.to("cpu")
    for name, scores in found.items():
        torch.testing.assert_close(scores, expected[name], rtol=1e-2, atol=1e-2)
