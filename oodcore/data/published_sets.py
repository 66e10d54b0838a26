"""Public benchmarks in torchvision's own folder layout, lossless or at their published size, with download.

Fashion-MNIST is padded from 28×28 to 32×32 and made RGB, as MNIST is elsewhere here. Describable Textures is used whole
(5,640 images), Places365 with its validation part, as OOD benchmarks do.
"""

from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from oodcore.data.arrays import as_images, image_npy
from oodcore.data.download import Download
from oodcore.data.entry import ID_SPLITS, Entry, with_calibration
from oodcore.data.folders import image_folder
from oodcore.data.images import ArraySet, ImageSet, Numbered, Role
from oodcore.data.lists import image_list
from oodcore.data.roots import Progress
from oodcore.errors import DataError

__all__ = ["ENTRIES"]


def _torchvision(folder: Path, split: str, progress: Progress | None, *, name: str, role: Role, kind: str) -> ArraySet:
    from torchvision import datasets

    which = {"split": split} if kind == "SVHN" else {"train": split == "train"}
    try:
        found = getattr(datasets, kind)(folder, **which)
    except (RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        hint = f"Remove it and run: ood data get {name}"
        raise DataError(f"'{name}' in '{folder}' cannot be read ({reason}). {hint}") from None
    images = _pixels(found.data, name)
    labels = torch.as_tensor(np.asarray(found.labels if kind == "SVHN" else found.targets)).long()
    classes = tuple(getattr(found, "classes", [str(digit) for digit in range(10)]))
    return ArraySet(images, labels, Numbered(f"{name}/{split}", range(len(images))), name, role, classes)


def _pixels(data: Any, name: str) -> Tensor:
    images = as_images(np.asarray(data), name)
    border = (32 - images.shape[-1]) // 2
    return F.pad(images, (border, border, border, border)) if border else images


def _dtd(folder: Path, split: str, progress: Progress | None) -> ImageSet:
    return image_folder(folder / "dtd/dtd/images", name="dtd", role="far")


def _places365(folder: Path, split: str, progress: Progress | None) -> ImageSet:
    lines = (folder / "categories_places365.txt").read_text().splitlines()
    classes = tuple(line.split()[0].lstrip("/").partition("/")[2] for line in lines if line.strip())
    return image_list(folder / "places365_val.txt", folder / "val_256", classes=classes, name="places365", role="far")


def _random_300k(folder: Path, split: str, progress: Progress | None) -> ImageSet:
    return image_npy(folder / "300K_random_images.npy", name="random-300k", role="auxiliary")


def _get(name: str) -> str:
    return f"Where there is a network, run: ood data get {name}"


_CIFAR: Final = "https://www.cs.toronto.edu/~kriz/"
_SVHN: Final = "http://ufldl.stanford.edu/housenumbers/"
_FASHION: Final = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_PLACES: Final = "http://data.csail.mit.edu/places/places365/"


def _cifar(name: str, title: str, classes: int, kind: str, folder: str, md5: str) -> Entry:
    archive = folder.removesuffix("-batches-py").removesuffix("-python") + "-python.tar.gz"
    load = with_calibration(partial(_torchvision, name=name, role="id", kind=kind))
    licence, download = "No formal licence; cite Krizhevsky 2009.", Download(_CIFAR + archive, archive, md5)
    return Entry(
        name, title, "id", classes, "lossless", ID_SPLITS, licence, _get(name), (folder,), (download,), load=load
    )


ENTRIES: Final[tuple[Entry, ...]] = (
    _cifar("cifar10", "CIFAR-10", 10, "CIFAR10", "cifar-10-batches-py", "c58f30108f718f92721af3b95e74349a"),
    _cifar("cifar100", "CIFAR-100", 100, "CIFAR100", "cifar-100-python", "eb9058c3a382ffc7106e4002c42a8d85"),
    Entry(
        "svhn",
        "Street View House Numbers",
        "far",
        10,
        "lossless",
        ID_SPLITS,
        "Non-commercial use.",
        _get("svhn"),
        ("test_32x32.mat",),
        (
            Download(f"{_SVHN}train_32x32.mat", "train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
            Download(f"{_SVHN}test_32x32.mat", "test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
        ),
        load=with_calibration(partial(_torchvision, name="svhn", role="far", kind="SVHN")),
    ),
    Entry(
        "fashion-mnist",
        "Fashion-MNIST, padded to 32×32",
        "far",
        10,
        "lossless",
        ID_SPLITS,
        "MIT.",
        _get("fashion-mnist"),
        ("FashionMNIST/raw",),
        tuple(
            Download(f"{_FASHION}{part}.gz", f"FashionMNIST/raw/{part}.gz", md5)
            for part, md5 in (
                ("train-images-idx3-ubyte", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
                ("train-labels-idx1-ubyte", "25c81989df183df01b3e8a0aad5dffbe"),
                ("t10k-images-idx3-ubyte", "bef4ecab320f06d8554ea6380940ec79"),
                ("t10k-labels-idx1-ubyte", "bb300cfdad3c16e7a12a480ee83cd310"),
            )
        ),
        load=with_calibration(partial(_torchvision, name="fashion-mnist", role="far", kind="FashionMNIST")),
    ),
    Entry(
        "dtd",
        "Describable Textures, all 47 categories",
        "far",
        47,
        "lossless",
        ("test",),
        "Research only.",
        _get("dtd"),
        ("dtd/dtd/images",),
        (
            Download(
                "https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz",
                "dtd/dtd-r1.0.1.tar.gz",
                "fff73e5086ae6bdbea199a49dfb8a4c1",
            ),
        ),
        load=_dtd,
    ),
    Entry(
        "places365",
        "Places365, validation part at 256×256",
        "far",
        365,
        "lossless",
        ("test",),
        "Research and education only.",
        _get("places365"),
        ("val_256", "places365_val.txt", "categories_places365.txt"),
        (
            Download(
                f"{_PLACES}filelist_places365-standard.tar",
                "filelist_places365-standard.tar",
                "35a0585fee1fa656440f3ab298f8479c",
            ),
            Download(f"{_PLACES}val_256.tar", "val_256.tar", "e27b17d8d44f4af9a78502beb927f808"),
        ),
        load=_places365,
    ),
    Entry(
        "random-300k",
        "300,000 random images",
        "auxiliary",
        0,
        "lossless",
        ("train",),
        "Filtered from 80 Million Tiny Images, which its owners withdrew in 2020.",
        "The README of github.com/hendrycks/outlier-exposure has its address; put it into the data folder.",
        ("300K_random_images.npy",),
        load=_random_300k,
    ),
)
