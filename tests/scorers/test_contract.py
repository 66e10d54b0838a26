"""What every scorer promises, checked without a list of them."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from oodcore.errors import OODError, ScoreError
from oodcore.records import Bank, Evidence, Outputs
from oodcore.scorers import Fitted, GradientFitted, Scorer, scorers

every_scorer = pytest.mark.parametrize("name", scorers.names())
NEEDS = {"logits", "features", "head", "norms", "embeddings", "gradients"}


def fitted(name: str, bank: Evidence | None) -> Fitted:
    return scorers[name]().fit(bank)


def separation(inliers: Tensor, outliers: Tensor) -> float:
    return float((outliers[:, None] > inliers[None, :]).double().mean())


@every_scorer
def test_outliers_score_higher(name: str, world) -> None:
    score = fitted(name, world.bank)
    assert separation(score(world.inliers), score(world.outliers)) > 0.9


@every_scorer
def test_scores_are_finite_float64_one_per_row(name: str, world) -> None:
    scores = fitted(name, world.bank)(world.inliers)
    assert scores.dtype == torch.float64
    assert scores.shape == (len(world.inliers.logits),)
    assert scores.isfinite().all()


@every_scorer
def test_a_row_is_scored_alone(name: str, world) -> None:
    score, rows = fitted(name, world.bank), world.outliers.take(slice(0, 40))
    together, order = score(rows), torch.randperm(40)
    one_by_one = torch.cat([score(rows.take(slice(i, i + 1))) for i in range(40)])
    torch.testing.assert_close(one_by_one, together, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(score(rows.take(order)), together[order], rtol=1e-5, atol=1e-5)


@every_scorer
def test_no_rows_give_no_scores(name: str, world) -> None:
    assert fitted(name, world.bank)(world.inliers.take(slice(0, 0))).shape == (0,)


@every_scorer
def test_fitting_repeats_and_leaves_the_bank_alone(name: str, world) -> None:
    before = copy_of(world.bank)
    first, second = fitted(name, world.bank)(world.inliers), fitted(name, world.bank)(world.inliers)
    assert torch.equal(first, second)
    for old, new in zip(tensors(before), tensors(world.bank), strict=True):
        assert torch.equal(old, new)


@every_scorer
def test_scoring_leaves_the_outputs_alone(name: str, world) -> None:
    rows = Outputs(*(field.clone() for field in world.inliers))
    fitted(name, world.bank)(rows)
    for old, new in zip(world.inliers, rows, strict=True):
        assert torch.equal(old, new)


@every_scorer
def test_fits_from_pieces_as_a_bank_on_disk_gives_them(name: str, world, in_pieces: Callable[[Bank], Evidence]) -> None:
    whole, pieces = fitted(name, world.bank), fitted(name, in_pieces(world.bank))
    torch.testing.assert_close(pieces(world.inliers), whole(world.inliers), rtol=1e-5, atol=1e-5)


@every_scorer
def test_without_a_bank_it_scores_or_says_what_it_lacks(name: str, world) -> None:
    if scorers[name].info.fits:
        with pytest.raises(OODError, match=r"\."):
            fitted(name, None)
    else:
        assert torch.equal(fitted(name, None)(world.inliers), fitted(name, world.bank)(world.inliers))


@every_scorer
@pytest.mark.parametrize("fault", ["empty", "unlabelled", "nan"])
def test_a_faulty_bank_is_refused_or_does_not_matter(name: str, fault: str, world) -> None:
    try:
        score = fitted(name, faulty(world.bank, fault))
    except OODError:
        return
    assert torch.equal(score(world.inliers), fitted(name, world.bank)(world.inliers))


@every_scorer
def test_moving_keeps_the_scores(name: str, world) -> None:
    score = fitted(name, world.bank)
    assert torch.equal(score.to("cpu")(world.inliers), score(world.inliers))


@every_scorer
def test_half_precision_outputs_are_scored(name: str, world) -> None:
    halves = Outputs(*(field.half() for field in world.outliers))
    inliers = Outputs(*(field.half() for field in world.inliers))
    score = fitted(name, world.bank)
    assert separation(score(inliers), score(halves)) > 0.9


@every_scorer
def test_metadata_is_complete(name: str) -> None:
    scorer = scorers[name]
    assert isinstance(scorer(), Scorer)
    assert scorer.info.title
    assert scorer.info.source
    assert set(scorer.info.needs) <= NEEDS
    assert len(scorer.info.needs) == len(set(scorer.info.needs)) > 0
    assert dataclasses.is_dataclass(scorer)
    assert scorer.__dataclass_params__.frozen


@every_scorer
def test_declares_what_it_reads(name: str, world) -> None:
    """A field of `Outputs` that is not among the needs may hold anything."""
    needs = scorers[name].info.needs
    score, junk = fitted(name, world.bank), torch.full((240, 3), torch.nan)
    honest = Outputs(
        world.inliers.logits if "logits" in needs else torch.full_like(world.inliers.logits, torch.nan),
        world.inliers.features if "features" in needs else torch.full_like(world.inliers.features, torch.nan),
        world.inliers.norms if "norms" in needs else junk,
        world.inliers.embeddings if "embeddings" in needs else junk,
    )
    assert torch.equal(score(honest), score(world.inliers))


@every_scorer
def test_gradient_scorers_say_so(name: str, world) -> None:
    assert isinstance(fitted(name, world.bank), GradientFitted) == ("gradients" in scorers[name].info.needs)


@pytest.mark.gpu
@every_scorer
def test_follows_its_input_to_the_gpu(name: str, world) -> None:
    on_cpu = fitted(name, world.bank)
    expected = on_cpu(world.inliers)
    inliers = world.inliers.to("cuda")
    for score in (on_cpu.to("cuda"), fitted(name, world.bank.to("cuda"))):
        scores = score(inliers)
        assert scores.device.type == "cuda"
        torch.testing.assert_close(scores.cpu(), expected, rtol=1e-3, atol=1e-3)


def faulty(bank: Bank, fault: str) -> Bank:
    if fault == "empty":
        return bank.take(slice(0, 0))
    if fault == "unlabelled":
        return dataclasses.replace(bank, labels=torch.full_like(bank.labels, -1))
    logits, features = bank.outputs.logits.clone(), bank.outputs.features.clone()
    logits[3], features[3, 5] = torch.nan, torch.nan
    return dataclasses.replace(bank, outputs=bank.outputs._replace(logits=logits, features=features))


def tensors(bank: Bank) -> list[Tensor]:
    found = [*bank.outputs, bank.labels, *bank.head, bank.centers]
    return [tensor for tensor in found if tensor is not None]


def copy_of(bank: Bank) -> Bank:
    outputs = Outputs(*(None if field is None else field.clone() for field in bank.outputs))
    return dataclasses.replace(bank, outputs=outputs, labels=bank.labels.clone())


@pytest.mark.parametrize("name", ["energy", "jsd", "odin", "representation"])
@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_that_turns_a_score_around_is_refused(name: str, temperature: float) -> None:
    with pytest.raises(ScoreError, match="temperature"):
        scorers[name](temperature=temperature)
