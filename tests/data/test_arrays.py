import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from oodcore.data import image_npy, image_npz
from oodcore.errors import DataError


@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
def test_both_layouts_are_the_same_images(layout: str, tmp_path: Path, noise: Callable[..., np.ndarray]) -> None:
    pixels = noise(5, 8, 9, 3)
    stored = pixels if layout == "nhwc" else pixels.transpose(0, 3, 1, 2)
    np.savez(tmp_path / "set.npz", images=stored, labels=np.array([0, 1, 2, 1, 0], np.uint8))
    images = image_npz(tmp_path / "set.npz")
    np.testing.assert_array_equal(images.images.numpy(), pixels.transpose(0, 3, 1, 2))
    assert (images.labels.tolist(), images.classes, images.keys[4]) == ([0, 1, 2, 1, 0], ("0", "1", "2"), "set/4")


def test_grey_becomes_rgb_and_the_unit_interval_becomes_bytes(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", images=np.array([[[0.0, 0.5], [0.25, 1.0]]], np.float32))
    images = image_npz(tmp_path / "set.npz")
    assert images.images[0, 1].tolist() == [[0, 128], [64, 255]]
    assert images.labels.tolist() == [-1]


def test_class_names_may_be_given(tmp_path: Path, noise) -> None:
    np.savez_compressed(tmp_path / "s.npz", images=noise(2, 4, 4, 3), labels=[0, 1], classes=["cat", "dog"])
    assert image_npz(tmp_path / "s.npz").classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"pictures": np.zeros((2, 4, 4, 3), np.uint8)}, "needs an array called 'images'"),
        ({"images": np.zeros((2, 4, 4, 4), np.uint8)}, "at least one image"),
        ({"images": np.zeros((0, 4, 4, 3), np.uint8)}, "at least one image"),
        ({"images": np.zeros((4, 4), np.uint8)}, "at least one image"),
        ({"images": np.zeros((2, 4, 4, 3), np.int64)}, "as uint8"),
        ({"images": np.full((2, 4, 4, 3), np.nan)}, "NaN"),
        ({"images": np.full((2, 4, 4, 3), -0.5)}, r"outside 0\.\.1"),
        ({"images": np.zeros((2, 4, 4, 3), np.uint8), "labels": [1]}, "needs 2 whole numbers"),
        ({"images": np.zeros((2, 4, 4, 3), np.uint8), "labels": [0.0, np.nan]}, "needs 2 whole numbers"),
        ({"images": np.zeros((2, 4, 4, 3), np.uint8), "labels": [-3, 0]}, "or be -1"),
    ],
)
def test_arrays_that_are_no_image_set_are_refused(content: dict[str, np.ndarray], said: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", **content)
    with pytest.raises(DataError, match=said):
        image_npz(tmp_path / "set.npz")


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", images=np.array([{"a": 1}], dtype=object))
    np.save(tmp_path / "set.npy", np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="no readable"):
        image_npz(tmp_path / "set.npz")
    with pytest.raises(DataError, match="no readable"):
        image_npy(tmp_path / "set.npy")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"text"])
def test_damaged_files_are_told(content: bytes, tmp_path: Path) -> None:
    for read, path in ((image_npz, tmp_path / "set.npz"), (image_npy, tmp_path / "set.npy")):
        path.write_bytes(content)
        with pytest.raises(DataError, match="no readable"):
            read(path)
        with pytest.raises(DataError):
            read(path.with_name("gone" + path.suffix))


def test_unlabelled_images_are_mapped_and_never_loaded_whole(tmp_path: Path) -> None:
    """As large as the 300,000 random images; sparse on disk."""
    shape = (300_000, 32, 32, 3)
    stored = np.lib.format.open_memmap(tmp_path / "many.npy", mode="w+", dtype=np.uint8, shape=shape)
    stored[299_999, 3, 4] = (1, 2, 3)
    del stored
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    images = image_npy(tmp_path / "many.npy")
    assert (len(images), images.keys[299_999], images.classes) == (300_000, "many/299999", ())
    assert images[299_999].image[:, 3, 4].tolist() == [1, 2, 3]
    assert images.take(slice(299_900, None)).images[99, :, 3, 4].tolist() == [1, 2, 3]
    batch = next(images.take(slice(299_968, None)).batches(32))
    assert batch.images.shape == (32, 3, 32, 32)
    assert set(batch.labels.tolist()) == {-1}
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100_000  # KiB; the file has 900,000


@pytest.mark.parametrize("array", [np.zeros((2, 3, 4, 4), np.uint8), np.zeros((2, 4, 4, 3)), np.zeros(7, np.uint8)])
def test_other_arrays_are_refused(array: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "set.npy", array)
    with pytest.raises(DataError, match="must hold uint8 images"):
        image_npy(tmp_path / "set.npy")
