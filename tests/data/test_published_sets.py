import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torchvision import datasets

from oodcore.data import open_set
from oodcore.errors import DataError


def test_cifar10_in_torchvision_s_layout(empty_machine: Path, noise, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = empty_machine / "data/cifar-10-batches-py"
    folder.mkdir(parents=True)
    pixels = noise(40, 3072)
    for name, rows in (("data_batch_1", slice(0, 30)), ("test_batch", slice(30, 40))):
        content = {"data": pixels[rows], "labels": (np.arange(40) % 10)[rows].tolist()}
        (folder / name).write_bytes(pickle.dumps(content))
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [["data_batch_1", None]])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", None]])
    monkeypatch.setattr(datasets.CIFAR10, "meta", {"filename": "batches.meta", "key": "label_names", "md5": None})

    test = open_set("cifar10")
    assert (test.coding, test.classes, test.keys[0]) == ("lossless", tuple(names), "cifar10/test/0")
    np.testing.assert_array_equal(test[3].image, pixels[33].reshape(3, 32, 32))
    assert test.labels.tolist() == list(range(10))
    train, calibration = open_set("cifar10", "train"), open_set("cifar10", "calibration")
    assert (len(train), len(calibration)) == (20, 10)
    assert not set(train.fingerprints) & set(calibration.fingerprints)


def test_damaged_files_say_which_command_brings_good_ones(empty_machine: Path) -> None:
    (empty_machine / "data/cifar-10-batches-py").mkdir(parents=True)
    (empty_machine / "data/cifar-100-python").mkdir(parents=True)
    (empty_machine / "data/test_32x32.mat").write_bytes(b"not a mat file")
    (empty_machine / "data/FashionMNIST/raw").mkdir(parents=True)
    for name in ("cifar10", "cifar100", "svhn", "fashion-mnist"):
        with pytest.raises(DataError, match=f"Remove it and run: ood data get {name}"):
            open_set(name)


def test_svhn_in_torchvision_s_layout(empty_machine: Path, noise, monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.io import savemat

    (empty_machine / "data").mkdir()
    pixels = noise(32, 32, 3, 12)
    path = empty_machine / "data/test_32x32.mat"
    savemat(path, {"X": pixels, "y": (np.arange(12) % 10 + 1)[:, None]})
    monkeypatch.setattr("torchvision.datasets.svhn.check_integrity", lambda *_: True)
    images = open_set("svhn")
    np.testing.assert_array_equal(images[5].image, pixels[..., 5].transpose(2, 0, 1))
    assert images.labels[:3].tolist() == [1, 2, 3]
    assert images.labels[9] == 0  # SVHN writes the digit 0 as 10
    with pytest.raises(DataError, match="ood data get svhn"):
        open_set("svhn", "train")


def test_fashion_mnist_is_padded_to_32_and_made_rgb(empty_machine: Path, noise: Callable[..., np.ndarray]) -> None:
    raw = empty_machine / "data/FashionMNIST/raw"
    raw.mkdir(parents=True)
    pixels, labels = noise(6, 28, 28), np.arange(6, dtype=np.uint8)
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, 6, 28, 28) + pixels.tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, 6) + labels.tobytes())
    images = open_set("fashion-mnist")
    image = images[4].image
    assert image.shape == (3, 32, 32)
    np.testing.assert_array_equal(image[1, 2:30, 2:30], pixels[4])
    assert int(image.sum()) == 3 * int(pixels[4].sum())
    assert images.classes[0] == "T-shirt/top"


def test_describable_textures_are_taken_whole(empty_machine: Path, folder_of) -> None:
    folder_of(empty_machine / "data/dtd/dtd/images", "banded/0.jpg", "woven/1.jpg", side=40)
    images = open_set("dtd")
    assert (images.classes, len(images), images.role) == (("banded", "woven"), 2, "far")


def test_places365_reads_its_list_and_its_categories(empty_machine: Path, folder_of) -> None:
    data = folder_of(empty_machine / "data", "val_256/Places365_val_1.jpg", "val_256/Places365_val_2.jpg")
    (data / "categories_places365.txt").write_text("/a/airfield 0\n/a/apartment_building/outdoor 1\n")
    (data / "places365_val.txt").write_text("Places365_val_1.jpg 1\nPlaces365_val_2.jpg 0\n")
    images = open_set("places365")
    assert images.classes == ("airfield", "apartment_building/outdoor")
    assert images.labels.tolist() == [1, 0]


def test_the_random_images_are_unlabelled_outliers(empty_machine: Path, noise) -> None:
    (empty_machine / "data").mkdir()
    np.save(empty_machine / "data/300K_random_images.npy", noise(5, 32, 32, 3))
    images = open_set("random-300k", "train")
    assert (images.role, images.classes, images.keys[2]) == ("auxiliary", (), "random-300k/2")
