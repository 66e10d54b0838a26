import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from oodcore.errors import ScoreError
from oodcore.metrics import auroc
from oodcore.records import Bank, Outputs
from oodcore.scorers.energy import Energy
from oodcore.scorers.representation import Representation, RepresentationFitted
from oodcore.scorers.semantic_energy import WEIGHTS, SemanticEnergy, SemanticEnergyFitted, choose_lambda

FAR = torch.tensor([[0.0, 0], [100, 0]], dtype=torch.float64)


@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-5)])
def test_worked_case(kind: torch.dtype, tolerance: float) -> None:
    """Energies -24 and -6; squared distances 0.1 and 1.2 to the one centre that is near."""
    logits = torch.tensor([[24.0, -1000], [6, -1000]], dtype=kind)
    embeddings = torch.tensor([[0.0, math.sqrt(0.1)], [0, math.sqrt(1.2)]], dtype=kind)
    fitted = SemanticEnergyFitted(1.0, (-23.5, 2.0), (0.2, 0.15), RepresentationFitted(1.0, "euclidean", FAR))
    found = fitted(Outputs(logits, torch.zeros(2, 1, dtype=kind), None, embeddings))
    assert found.tolist() == pytest.approx([-0.916667, 15.416667], abs=tolerance)


@pytest.mark.parametrize("weight", [0.0, 1.0, 2.5])
def test_both_parts_are_measured_in_the_banks_deviations(world, weight: float) -> None:
    expected = np.zeros(len(world.outliers.logits))
    for share, part in ((1.0, Energy()), (weight, Representation())):
        known, found = (part.fit(world.bank)(rows).numpy() for rows in (world.bank.outputs, world.outliers))
        expected += share * (found - known.mean()) / known.std()
    found = SemanticEnergy(weight).fit(world.bank)(world.outliers)
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-9)


def test_the_bank_itself_has_mean_zero_and_each_part_deviation_one(world) -> None:
    fitted = SemanticEnergy().fit(world.bank)
    assert fitted(world.bank.outputs).mean().item() == pytest.approx(0, abs=1e-9)
    alone = replace(fitted, weight=0.0)(world.bank.outputs)
    assert alone.std(correction=0).item() == pytest.approx(1)


def test_without_weight_it_ranks_as_the_energy_does(world) -> None:
    found = SemanticEnergy(weight=0.0).fit(world.bank)(world.outliers)
    assert torch.equal(found.argsort(), Energy().fit()(world.outliers).argsort())


def test_temperature_and_distance_are_the_representation_scores(world) -> None:
    fitted = SemanticEnergy(temperature=1.0, distance="euclidean").fit(world.bank)
    expected = Representation(1.0, "euclidean").fit(world.bank)(world.outliers)
    assert torch.equal(fitted.representation(world.outliers), expected)


def test_what_is_missing_is_said(world) -> None:
    with pytest.raises(ScoreError, match="class centres"):
        SemanticEnergy().fit(replace(world.bank, centers=None))
    with pytest.raises(ScoreError, match="embeddings"):
        SemanticEnergy().fit(world.bank)(world.inliers._replace(embeddings=None))
    with pytest.raises(ScoreError, match="no scale"):
        SemanticEnergy().fit(world.bank.take(slice(0, 1)))


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_turns_the_distance_around_is_refused(weight: float) -> None:
    with pytest.raises(ScoreError, match="weight must be 0 or more"):
        SemanticEnergy(weight)


def split(energies: Tensor, distances: Tensor) -> Outputs:
    """Rows with these energies, at these squared distances from the near centre."""
    logits = torch.stack([-energies, torch.full_like(energies, -1000)], dim=1)
    embeddings = torch.stack([torch.zeros_like(distances), distances.sqrt()], dim=1)
    return Outputs(logits, embeddings, None, embeddings)


@pytest.mark.parametrize(("useful", "expected"), [("energy", 0.0), ("distance", 8.0), ("neither", 1.0)])
def test_lambda_follows_the_part_that_tells_outliers_apart(useful: str, expected: float) -> None:
    draw = torch.Generator().manual_seed(0)
    fitted = SemanticEnergyFitted(1.0, (-8.0, 1.0), (4.0, 1.0), RepresentationFitted(1.0, "euclidean", FAR))
    shifts = {"energy": (1.5, 0.0), "distance": (0.0, 1.5), "neither": (9.0, 9.0)}[useful]
    noise = torch.randn(4, 1000, generator=draw, dtype=torch.float64).clamp(-3, 3)
    inliers = split(-8 + noise[0], 4 + noise[1])
    outliers = split(-8 + shifts[0] + noise[2], 4 + shifts[1] + noise[3])
    assert choose_lambda(fitted, inliers, outliers) == expected


def test_lambda_is_the_best_of_those_given(world) -> None:
    fitted = SemanticEnergy().fit(world.bank)
    rows = world.inliers.take(slice(0, 100)), world.inliers.take(slice(100, 200))  # hard to tell apart
    found = choose_lambda(fitted, *rows)
    best = max(auroc(*(replace(fitted, weight=weight)(side) for side in rows)) for weight in WEIGHTS)
    assert auroc(*(replace(fitted, weight=found)(side) for side in rows)) == best
    assert choose_lambda(fitted, *rows, [0.3]) == 0.3
    with pytest.raises(ScoreError, match="no weights"):
        choose_lambda(fitted, *rows, [])


def test_shuffled_rows_of_the_bank_change_nothing(world) -> None:
    order = torch.randperm(len(world.bank))
    mixed: Bank = world.bank.take(order)
    first, second = SemanticEnergy().fit(world.bank), SemanticEnergy().fit(mixed)
    torch.testing.assert_close(first(world.outliers), second(world.outliers), rtol=1e-9, atol=1e-9)
