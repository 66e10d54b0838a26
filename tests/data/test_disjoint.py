import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from oodcore.data import (
    ArraySet,
    Preprocessing,
    check_codings,
    check_disjoint,
    drop_excluded,
    open_set,
    strict_exclusions,
)
from oodcore.errors import DataError


def test_sets_that_share_nothing_pass(image_set: Callable[..., ArraySet]) -> None:
    check_disjoint(image_set(seed=1), [image_set(seed=2), image_set(seed=3)])
    check_disjoint(image_set(seed=1), image_set(seed=2), Preprocessing(size=4))


def test_one_planted_image_is_found_and_named(image_set: Callable[..., ArraySet]) -> None:
    auxiliary, test = image_set(seed=1, name="aux"), image_set(seed=2, name="test")
    planted = test.images.clone()
    planted[7] = auxiliary.images[4]
    with pytest.raises(DataError, match=r"1 images of 'test' .* 'aux' \(test/7 = aux/4\)"):
        check_disjoint(auxiliary, [image_set(seed=3), replace(test, images=planted)])


def test_many_planted_images_are_counted_and_three_are_named(image_set: Callable[..., ArraySet]) -> None:
    with pytest.raises(DataError, match=r"12 images of .* \(a/0 = a/0, a/1 = a/1, a/2 = a/2, …\)"):
        check_disjoint(image_set(seed=1, name="a"), image_set(seed=1, name="a"))


def test_images_that_only_look_alike_to_the_network_are_found_through_its_eyes(
    image_set: Callable[..., ArraySet],
) -> None:
    small = image_set(seed=1)
    large = replace(small, images=small.images.repeat_interleave(2, 2).repeat_interleave(2, 3))
    check_disjoint(small, large)
    prepare = Preprocessing(size=1, interpolation="bilinear")
    with pytest.raises(DataError, match="also among the training outliers"):
        check_disjoint(small, large, prepare)


def test_excluded_classes_are_refused_until_they_are_dropped(
    image_set: Callable[..., ArraySet], tmp_path: Path
) -> None:
    listed = {"why": "same thing", "ood_x": ["a", "c"]}
    (tmp_path / "strict_exclude.json").write_text(json.dumps(listed))
    auxiliary = image_set(seed=1, name="tin-aux50", excludes=strict_exclusions("tin-aux50", tmp_path))
    for name in ("ood-x", "ood-x-clean"):
        test = image_set(seed=2, name=name)
        with pytest.raises(DataError, match=rf"8 images of '{name}' .* \(a, c\)"):
            check_disjoint(auxiliary, test)
        kept = drop_excluded(test, "tin-aux50", tmp_path)
        assert (kept.classes, len(kept)) == (("b",), 4)
        check_disjoint(auxiliary, kept)
    other = image_set(seed=2, name="ood-y")
    check_disjoint(auxiliary, other)
    assert drop_excluded(other, "tin-aux50", tmp_path) is other


def test_a_missing_or_damaged_list_is_told(tmp_path: Path, empty_machine: Path) -> None:
    assert strict_exclusions("shapes-aux", tmp_path) == {}
    with pytest.raises(DataError, match=r"needs strict_exclude\.json beside it"):
        strict_exclusions("tin-aux50", tmp_path)
    for content in ("no json", "[1]", '{"ood_x": 3}'):
        (tmp_path / "strict_exclude.json").write_text(content)
        with pytest.raises(DataError, match="no readable list"):
            strict_exclusions("tin-aux50", tmp_path)


def test_coded_and_lossless_sets_are_not_compared(image_set: Callable[..., ArraySet]) -> None:
    coded, clean = image_set(name="c", coding="jpeg75"), image_set(name="l")
    check_codings([coded, coded])
    check_codings([clean, clean], Preprocessing())
    check_codings([])
    for sets in ([coded, clean], [clean, clean, coded]):
        for prepare in (None, Preprocessing()):
            with pytest.raises(DataError, match="'c' is JPEG-coded and 'l' is lossless"):
                check_codings(sets, prepare)


def test_a_checkpoint_that_codes_its_input_may_compare_both(image_set: Callable[..., ArraySet]) -> None:
    check_codings([image_set(coding="jpeg75"), image_set()], Preprocessing(coding="jpeg75"))


def test_drawn_outliers_for_training_and_for_tests_share_nothing() -> None:
    check_disjoint(open_set("shapes-aux"), [open_set("shapes-far")])


@pytest.mark.slow
def test_the_real_auxiliary_set_excludes_what_the_manifest_lists(data_root: Path) -> None:
    auxiliary = open_set("tin-aux50", "train", data_root)
    caltech, textures = open_set("ood-caltech", root=data_root), open_set("ood-dtd10", root=data_root)
    with pytest.raises(DataError, match="787 images of 'ood-caltech'"):
        check_disjoint(auxiliary, caltech)
    with pytest.raises(DataError, match="cobwebbed"):
        check_disjoint(auxiliary, textures)
    tests = [drop_excluded(each, "tin-aux50", data_root) for each in (caltech, textures)]
    assert [len(each) for each in tests] == [4896, 1078]
    tests += [open_set(f"ood-{name}", root=data_root) for name in ("tin25", "gtsrb", "mnist", "rsscn7", "scene15")]
    check_disjoint(auxiliary, tests)
    check_disjoint(open_set("tin-ok60", "train", data_root), tests)


@pytest.mark.slow
def test_a_planted_real_image_is_refused(data_root: Path) -> None:
    auxiliary = open_set("tin-aux50", "val", data_root)
    test = open_set("ood-rsscn7", root=data_root)
    planted = torch.cat([test.images[:99], auxiliary.images[5:6], test.images[100:]])  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="1 images of 'ood-rsscn7'"):
        check_disjoint(auxiliary, replace(test, images=planted))  # type: ignore[type-var]
