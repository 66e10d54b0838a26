"""Reference outputs beside a checkpoint: few rows, half precision, energies in full."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from oodcore.checkpoint import Card, load_energies, load_prior, load_reference, save, save_reference, seal
from oodcore.errors import CheckpointError
from oodcore.functional import free_energy
from oodcore.models import Classifier
from oodcore.records import Bank, Outputs


@pytest.fixture
def folder(model: Classifier, bank: Bank, tmp_path: Path) -> Path:
    few = bank.take(slice(0, 10))
    unlabelled = replace(few, labels=torch.full((10,), -1), outputs=Outputs(few.outputs.logits, few.outputs.features))
    return save(tmp_path / "one", model, Card.of(model), reference={"id": bank, "far out": unlabelled})


def test_at_most_a_thousand_rows_are_kept_and_belong_together(folder: Path, bank: Bank) -> None:
    kept = load_reference(folder)["id"]
    assert len(kept) == 1000
    assert torch.allclose(kept.head(kept.outputs.features), kept.outputs.logits, atol=0.02)
    distances = torch.cdist(kept.outputs.logits, bank.outputs.logits, compute_mode="donot_use_mm_for_euclid_dist")
    rows = distances.argmin(1)
    assert float(distances.amin(1).max()) == 0
    assert bool((rows.diff() > 0).all())
    assert torch.equal(kept.labels, bank.labels[rows])
    for got, want in zip(kept.outputs[1:], bank.outputs[1:], strict=True):
        assert torch.allclose(got, want[rows], rtol=1e-3, atol=1e-3)
        assert got.dtype == torch.float32


def test_small_sets_are_kept_whole_without_what_they_lack(folder: Path, bank: Bank) -> None:
    kept = load_reference(folder)["far out"]
    assert kept.labels.tolist() == [-1] * 10
    assert kept.outputs.norms is None
    assert torch.equal(kept.outputs.logits, bank.outputs.logits[:10])


def test_energies_are_of_every_row(folder: Path, bank: Bank) -> None:
    energies = load_energies(folder)
    assert list(energies) == ["far out", "id"] or list(energies) == ["id", "far out"]
    assert torch.allclose(energies["id"], free_energy(bank.outputs.logits))


def test_features_lie_in_half_precision_unless_they_overflow(folder: Path, bank: Bank) -> None:
    from safetensors.torch import load_file

    stored = load_file(folder / "reference.safetensors")
    assert stored["id/features"].dtype == torch.float16
    large = replace(bank, outputs=bank.outputs._replace(norms=bank.outputs.norms * 1e5))
    save_reference(folder, {"id": large})
    seal(folder)
    norms = load_reference(folder)["id"].outputs.norms
    assert norms is not None
    assert bool(norms.isfinite().all())


def test_prior_counts_are_kept(folder: Path, bank: Bank) -> None:
    assert load_prior(folder) is None
    save_reference(folder, {"id": bank}, prior=torch.tensor([5, 0, 7]))
    seal(folder)
    prior = load_prior(folder)
    assert prior is not None
    assert prior.tolist() == [5, 0, 7]


def test_a_checkpoint_without_reference_gives_nothing(model: Classifier, tmp_path: Path) -> None:
    folder = save(tmp_path / "bare", model, Card.of(model))
    assert load_reference(folder) == {}
    assert load_energies(folder) == {}


def test_a_reference_of_nothing_and_a_name_with_a_slash_are_sentences(bank: Bank, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="at least one set"):
        save_reference(tmp_path, {})
    with pytest.raises(CheckpointError, match="slash"):
        save_reference(tmp_path, {"a/b": bank})


def test_a_reference_without_its_head_or_its_rows_is_told(tmp_path: Path, model: Classifier) -> None:
    folder = save(tmp_path / "kept", model, Card.of(model))
    for tensors in ({}, {"head.weight": torch.zeros(3, 2), "head.bias": torch.zeros(3)}):
        save_file({"a/energy": torch.zeros(3), **tensors}, folder / "reference.safetensors")
        with pytest.raises(CheckpointError, match="incomplete"):
            load_reference(folder)
