"""A bank in a file: the same rows, the same moments, bounded memory, and no half-written file."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from oodcore.errors import CheckpointError, DataError
from oodcore.models.bank_on_disk import BankOnDisk, BankWriter
from oodcore.records import Bank, Head, Outputs


def make_bank(n: int = 50, k: int = 3, d: int = 5, norms: bool = True) -> Bank:
    head = Head(torch.randn(k, d), torch.randn(k))
    features = torch.randn(n, d) + 100
    outputs = Outputs(head(features), features, torch.rand(n, 4) if norms else None)
    return Bank(outputs, torch.arange(n) % k, head, torch.randn(k, 2))


def write(bank: Bank, path: Path, size: int = 7) -> BankOnDisk:
    with BankWriter(path, len(bank), bank.head, bank.centers) as writer:
        for part in bank.chunks(size):
            writer.add(part.outputs, part.labels)
    return BankOnDisk(path)


@pytest.mark.parametrize("size", [1, 7, 50, 1000])
def test_chunks_hold_the_rows_in_order(tmp_path: Path, size: int) -> None:
    bank = make_bank()
    stored = write(bank, tmp_path / "bank.safetensors")
    parts = list(stored.chunks(size))
    assert [len(part) for part in parts[:-1]] == [size] * (len(parts) - 1)
    joined = Outputs.join([part.outputs for part in parts])
    for got, want in zip(joined[:3], bank.outputs[:3], strict=True):
        assert torch.equal(got, want)
    assert torch.equal(torch.cat([part.labels for part in parts]), bank.labels)
    assert len(stored) == len(bank)


def test_moments_are_those_of_memory_and_computed_once(tmp_path: Path) -> None:
    bank = make_bank()
    stored = write(bank, tmp_path / "bank.safetensors")
    for got, want in zip(stored.moments, bank.moments, strict=True):
        assert torch.allclose(got, want, atol=1e-9)
    assert stored.moments is stored.moments


def test_other_readers_of_safetensors_open_it(tmp_path: Path) -> None:
    bank = make_bank(norms=False)
    write(bank, tmp_path / "bank.safetensors")
    tensors = load_file(tmp_path / "bank.safetensors")
    assert set(tensors) == {"logits", "features", "labels", "head.weight", "head.bias", "centers"}
    assert torch.equal(tensors["features"], bank.outputs.features)


def test_centres_are_kept(tmp_path: Path) -> None:
    bank = make_bank()
    centers = write(bank, tmp_path / "bank.safetensors").centers
    assert centers is not None
    assert torch.equal(centers, bank.centers)


@pytest.mark.parametrize("given", [49, 51])
def test_a_wrong_number_of_rows_leaves_no_file(tmp_path: Path, given: int) -> None:
    bank = make_bank(given)
    with pytest.raises(DataError, match="50"), BankWriter(tmp_path / "bank.safetensors", 50, bank.head) as writer:
        writer.add(bank.outputs, bank.labels)
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    old = make_bank()
    write(old, tmp_path / "bank.safetensors")
    new = make_bank()

    def stop_half_way() -> None:
        with BankWriter(tmp_path / "bank.safetensors", 50, new.head) as writer:
            writer.add(new.outputs.take(slice(0, 3)), new.labels[:3])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_half_way()
    assert [path.name for path in tmp_path.iterdir()] == ["bank.safetensors"]
    assert torch.equal(BankOnDisk(tmp_path / "bank.safetensors").read().outputs.logits, old.outputs.logits)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x10\0\0\0\0\0\0\0{}              ", b"\xff" * 64])
def test_what_is_no_bank_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(CheckpointError, match="bank"):
        BankOnDisk(tmp_path / "x")


def test_a_cut_off_bank_is_a_sentence(tmp_path: Path) -> None:
    write(make_bank(), tmp_path / "x")
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="cut off"):
        BankOnDisk(tmp_path / "x")


@pytest.mark.slow
def test_memory_stays_at_one_chunk(tmp_path: Path) -> None:
    """200 MB of features are swept with less than 100 MB more than the libraries need."""
    code = f"""
import resource, torch
from oodcore.models.bank_on_disk import BankOnDisk, BankWriter
from oodcore.records import Head, Outputs
head = Head(torch.zeros(2, 64), torch.zeros(2))
torch.randn(64, 64).double() @ torch.randn(64, 64).double()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
with BankWriter({str(tmp_path / "big")!r}, 800_000, head) as writer:
    for _ in range(80):
        writer.add(Outputs(torch.zeros(10_000, 2), torch.randn(10_000, 64)), torch.arange(10_000) % 2)
assert int(BankOnDisk({str(tmp_path / "big")!r}).moments.counts.sum()) == 800_000
assert peak() - before < 100, (before, peak())
"""
    subprocess.run([sys.executable, "-c", code], check=True)
