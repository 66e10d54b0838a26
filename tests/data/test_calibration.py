from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from oodcore.data import ArraySet, image_folder, split_calibration
from oodcore.data.calibration import is_calibration
from oodcore.errors import DataError


def test_the_two_parts_are_the_whole_and_share_nothing(image_set: Callable[..., ArraySet]) -> None:
    images = image_set(200, 3)
    train, calibration = split_calibration(images)
    assert not set(train.fingerprints) & set(calibration.fingerprints)
    assert sorted([*train.keys, *calibration.keys]) == sorted(images.keys)


@pytest.mark.parametrize(("per_class", "expected"), [(2, 1), (5, 2), (80, 40), (100, 50), (400, 50), (1100, 55)])
def test_every_class_gives_its_share(per_class: int, expected: int, image_set: Callable[..., ArraySet]) -> None:
    _, calibration = split_calibration(image_set(per_class, 3))
    assert calibration.counts == dict.fromkeys("abc", expected)


def test_which_images_calibrate_depends_on_no_position(image_set: Callable[..., ArraySet]) -> None:
    images = image_set(60, 3)
    shuffled = images.take(torch.randperm(180, generator=torch.Generator().manual_seed(5)))
    parts = [split_calibration(each)[1].keys for each in (images, shuffled)]
    assert set(parts[0]) == set(parts[1])
    assert set(parts[0]) != {key for key in images.keys if int(key.split("/")[1]) < 90}


def test_which_images_calibrate_depends_on_no_other_class(image_set: Callable[..., ArraySet]) -> None:
    images = image_set(60, 3)
    alone = split_calibration(images.keep(["b"]))[1].keys
    assert set(alone) == set(split_calibration(images)[1].keep(["b"]).keys)


def test_equal_images_stay_on_one_side_even_under_two_labels(image_set: Callable[..., ArraySet]) -> None:
    images = image_set(100, 2)
    doubled = images.take([*range(200), *range(200)])
    labels = torch.cat([images.labels, images.labels.flip(0)])
    train, calibration = split_calibration(doubled.relabel(labels, images.classes))
    assert not set(train.fingerprints) & set(calibration.fingerprints)


def test_unlabelled_images_never_calibrate(image_set: Callable[..., ArraySet]) -> None:
    images = image_set(60, 2)
    labels = images.labels.clone()
    labels[:30] = -1
    assert not is_calibration(images.relabel(labels, images.classes))[:30].any()


def test_files_are_divided_by_content_too(tmp_path: Path, folder_of) -> None:
    files = image_folder(folder_of(tmp_path / "set", *(f"{owner}/{row}.png" for owner in "ab" for row in range(6))))
    train, calibration = split_calibration(files)
    assert calibration.counts == {"a": 3, "b": 3}
    assert not set(train.fingerprints) & set(calibration.fingerprints)


def test_a_class_too_small_to_divide_is_named(image_set: Callable[..., ArraySet]) -> None:
    images = image_set(4, 3).take([0, 3, 6, 1, 2, 5])
    with pytest.raises(DataError, match="Class 'b' of 'noise' has 1 images"):
        split_calibration(images)
