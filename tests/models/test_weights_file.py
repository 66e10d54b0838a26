"""Files that somebody gave us: read without running code, and one sentence for what cannot be read."""

import argparse
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from oodcore.errors import CheckpointError
from oodcore.models.weights_file import read_weights

PLAIN = {"fc.weight": torch.ones(2, 3), "fc.bias": torch.zeros(2)}


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch hacked",)


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        {"state_dict": PLAIN, "epoch": 3, "best_prec1": torch.tensor(91.0)},
        {"net": {f"module.{key}": value for key, value in PLAIN.items()}, "acc": 90},
        {"model": {f"_orig_mod.module.{key}": value for key, value in PLAIN.items()}},
        {"state_dict": {f"model.{key}": value for key, value in PLAIN.items()}},
    ],
)
@pytest.mark.parametrize("old_format", [False, True])
def test_wrappers_and_prefixes_come_off(tmp_path: Path, content: Any, old_format: bool) -> None:
    torch.save(content, tmp_path / "w.pt", _use_new_zipfile_serialization=not old_format)
    tensors = read_weights(tmp_path / "w.pt").tensors
    assert set(tensors) == set(PLAIN)
    assert torch.equal(tensors["fc.weight"], PLAIN["fc.weight"])


def test_a_prefix_that_only_some_keys_have_stays(tmp_path: Path) -> None:
    path = saved(tmp_path / "w.pt", {"model.weight": torch.ones(2), "head.weight": torch.ones(2)})
    assert set(read_weights(path).tensors) == {"model.weight", "head.weight"}


def test_safetensors_bring_their_notes(tmp_path: Path) -> None:
    save_file(PLAIN, tmp_path / "w.safetensors", {"architecture": "x"})
    weights = read_weights(tmp_path / "w.safetensors")
    assert weights.about == {"architecture": "x"}
    assert set(weights.tensors) == set(PLAIN)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([1, 2], "holds a list"),
        ({}, "an empty dictionary"),
        ({"epoch": 3, "lr": 0.1}, "epoch, lr"),
        ({"a": PLAIN, "args": argparse.Namespace(x=1)}, r"run code \(argparse.Namespace\)"),
        (nn.Linear(2, 2), r"run code \(torch.nn.modules.linear.Linear\)"),
        ({"a": Evil()}, r"run code \(posix.system\)"),
        ({"fc.weight": torch.tensor([1.0, float("nan")])}, "NaN or infinite weights, first in 'fc.weight'"),
        ({"fc.weight": torch.tensor([1.0, float("inf")])}, "NaN or infinite"),
    ],
)
def test_content_that_cannot_be_used_is_a_sentence(tmp_path: Path, content: Any, says: str) -> None:
    with pytest.raises(CheckpointError, match=says):
        read_weights(saved(tmp_path / "w.pt", content))


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_plain_pickle_is_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.pt").write_bytes(pickle.dumps(Evil(), protocol))
    with pytest.raises(CheckpointError, match="wants to run code"):
        read_weights(tmp_path / "w.pt")
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize("keep", [10, 200, 0.5, 0.9, -1])
@pytest.mark.parametrize("kind", ["zip", "old", "safetensors"])
def test_a_cut_off_file_is_a_sentence(tmp_path: Path, keep: float, kind: str) -> None:
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pt")
    tensors = {"fc.weight": torch.randn(50, 20)}
    if kind == "safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    with pytest.raises(CheckpointError, match=r"cut off|damaged|no state dict"):
        read_weights(path)


def test_a_missing_an_empty_and_a_text_file_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no file"):
        read_weights(tmp_path / "w.pt")
    (tmp_path / "w.pt").touch()
    with pytest.raises(CheckpointError, match="0 bytes"):
        read_weights(tmp_path / "w.pt")
    (tmp_path / "w.pt").write_text("these are no weights " * 20)
    with pytest.raises(CheckpointError, match="not a PyTorch checkpoint"):
        read_weights(tmp_path / "w.pt")


def test_a_file_without_tensors_a_loop_and_sparse_tensors_are_told(tmp_path: Path) -> None:
    save_file({}, tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError, match="no tensors"):
        read_weights(tmp_path / "none.safetensors")
    loop: dict[str, Any] = {}
    loop["model"] = loop
    with pytest.raises(CheckpointError, match="no state dict"):
        read_weights(saved(tmp_path / "loop.pt", loop))
    with pytest.raises(CheckpointError, match="sparse"):
        read_weights(saved(tmp_path / "sparse.pt", {"fc.weight": torch.eye(3).to_sparse()}))


def test_a_picture_is_not_said_to_want_code(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (200, 10, 10)).save(tmp_path / "photo.pt", "JPEG")
    with pytest.raises(CheckpointError, match="damaged or not a PyTorch checkpoint"):
        read_weights(tmp_path / "photo.pt")
