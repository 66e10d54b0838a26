"""Flat maps: quick ones, seeded ones, and their file."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from oodcore.errors import CheckpointError, DataError
from oodcore.maps import Cloud, Layout, Settings, lay_out, principal, read_layout, write_layout


def cloud(n: int = 60) -> Cloud:
    """Three groups that lie on a line, with little of anything else."""
    labels = torch.arange(n) % 3
    rows = torch.randn(n, 6) * 0.05
    rows[:, 2] += labels.float() * 10
    rows[:, 4] += torch.randn(n)
    return Cloud(
        rows, labels, torch.stack([rows[labels == c].mean(0) for c in range(3)]), torch.arange(3), trained=False
    )


def test_principal_components_show_the_largest_spread_first_and_fit_the_square() -> None:
    space = cloud()
    xy, centers = principal(space)
    assert abs(float(torch.corrcoef(torch.stack([xy[:, 0], space.rows[:, 2]]))[0, 1])) > 0.999
    assert abs(float(torch.corrcoef(torch.stack([xy[:, 1], space.rows[:, 4]]))[0, 1])) > 0.99
    both = torch.cat([xy, centers])
    assert float(both.min()) >= 0
    assert float(both.max()) <= 1
    assert float(both[:, 0].max() - both[:, 0].min()) == pytest.approx(1)
    assert torch.allclose(centers[1], xy[space.labels == 1].mean(0), atol=1e-5)


def test_both_axes_keep_one_scale() -> None:
    space = cloud()
    xy, _ = principal(space)
    flat, full = torch.pdist(xy), torch.pdist(space.rows[:, [2, 4]])
    assert float((flat / full).std() / (flat / full).mean()) < 0.01


def test_the_same_map_whatever_the_sign_that_the_library_gives() -> None:
    space = cloud()
    mirrored = Cloud(-space.rows, space.labels, -space.centers, space.owners, trained=False)
    assert torch.allclose(principal(space)[0], 1 - principal(mirrored)[0], atol=1e-4)


@pytest.mark.parametrize("width", [1, 2])
def test_spaces_of_few_dimensions(width: int) -> None:
    rows = torch.randn(5, width)
    xy, centers = principal(Cloud(rows, torch.tensor([0, 1, 0, 1, 0]), rows[:2], torch.arange(2), trained=False))
    assert xy.shape == (5, 2)
    assert centers.shape == (2, 2)


@pytest.mark.parametrize(
    "wrong", [{"seed": -1}, {"seed": 2**31}, {"neighbours": 1}, {"neighbours": 101}, {"min_dist": 1.0}]
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(DataError):
        Settings(**wrong)


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    rows = {"b": torch.tensor([4, 2]), "a": torch.tensor([0])}
    layout = Layout(rows, {"features": torch.rand(3, 2)}, {"features": torch.rand(2, 2)}, Settings(7, 9, 0.2), "abc")
    write_layout(tmp_path / "layout.safetensors", layout)
    found = read_layout(tmp_path / "layout.safetensors")
    assert list(found.rows) == ["b", "a"]
    assert found.rows["b"].tolist() == [4, 2]
    assert torch.equal(found.xy["features"], layout.xy["features"])
    assert torch.equal(found.centers["features"], layout.centers["features"])
    assert (found.settings, found.reference) == (Settings(7, 9, 0.2), "abc")


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b'{"a": 1}'])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "layout.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="no map that can be read"):
        read_layout(tmp_path / "layout.safetensors")


def test_too_few_points_are_refused_before_anything_is_compiled() -> None:
    one = Cloud(torch.zeros(1, 3), torch.tensor([-1]), torch.zeros(0, 3), torch.zeros(0).long(), trained=False)
    with pytest.raises(DataError, match="at least 3 points"):
        lay_out(one, Settings())


def test_a_missing_umap_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(DataError, match="pip install umap-learn"):
        lay_out(cloud(), Settings())


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("umap") is None, reason="umap-learn is not installed (the app extra)")
def test_umap_repeats_itself_by_seed_and_keeps_groups_together(tmp_path: Path) -> None:
    script = tmp_path / "script.py"  # in a process of its own: compiling and its warnings stay there
    script.write_text(
        "import torch\n"
        "from oodcore.maps import Cloud, Settings, lay_out\n"
        "torch.manual_seed(0)\n"
        "labels = torch.arange(90) % 3\n"
        "rows = torch.randn(90, 6) + 30 * torch.eye(6)[labels]\n"
        "means = torch.stack([rows[labels == c].mean(0) for c in range(3)])\n"
        "space = Cloud(rows, labels, means, torch.arange(3), trained=False)\n"
        "(one, ends), (two, _), (other, _) = (lay_out(space, Settings(seed)) for seed in (1, 1, 2))\n"
        "assert torch.equal(one, two)\n"
        "assert not torch.equal(one, other)\n"
        "assert float(one.min()) >= 0 and float(one.max()) <= 1\n"
        "nearest = torch.cdist(one, ends).argmin(1)\n"
        "assert float((nearest == labels).float().mean()) == 1\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
