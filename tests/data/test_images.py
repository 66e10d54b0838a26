from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oodcore.data import ArraySet, FileSet, ImageSet, Preprocessing, image_folder
from oodcore.data.images import Numbered, fingerprints, positions
from oodcore.errors import DataError


@pytest.fixture(params=["in memory", "in files"])
def both(request: pytest.FixtureRequest, tmp_path: Path, folder_of, image_set) -> ImageSet:
    """Six images of two classes, in memory and as files."""
    if request.param == "in memory":
        return image_set(3, 2)
    return image_folder(folder_of(tmp_path / "set", *(f"{owner}/{row}.png" for owner in "ab" for row in range(3))))


def test_batches_hold_every_sample_in_order(both: ImageSet) -> None:
    batches = list(both.batches(4))
    assert [len(batch.images) for batch in batches] == [4, 2]
    images = torch.cat([batch.images for batch in batches])
    for row, sample in enumerate(both):
        assert torch.equal(images[row], sample.image)
    assert torch.equal(torch.cat([batch.labels for batch in batches]), both.labels)
    assert [key for batch in batches for key in batch.keys] == list(both.keys)


def test_batches_are_brought_to_the_network_s_size(both: ImageSet) -> None:
    prepare = Preprocessing(size=5, coding="jpeg75")
    (batch,) = both.batches(10, prepare)
    assert torch.equal(batch.images[3], prepare.pixels(both[3].image))


def test_taking_keeps_images_labels_and_keys_together(both: ImageSet) -> None:
    mask = torch.tensor([False, True, False, False, True, True])
    for index in ([1, 4, 5], torch.tensor([1, 4, 5]), mask, [1, -2, -1]):
        taken = both.take(index)
        assert len(taken) == 3
        assert list(taken.keys) == [both.keys[row] for row in (1, 4, 5)]
        assert taken.labels.tolist() == both.labels[[1, 4, 5]].tolist()
        assert torch.equal(taken[2].image, both[5].image)
        assert taken.name == both.name
    assert list(both.take(slice(1, 5, 2)).keys) == [both.keys[1], both.keys[3]]


def test_an_order_may_be_taken(both: ImageSet) -> None:
    assert list(both.take([5, 0]).keys) == [both.keys[5], both.keys[0]]


def test_rows_that_are_not_there_are_refused(both: ImageSet) -> None:
    with pytest.raises(DataError, match="There are 6 images"):
        both.take([6])
    with pytest.raises(DataError, match="must have 6 entries"):
        both.take(torch.tensor([True]))
    with pytest.raises(IndexError):
        both[6]


def test_keeping_classes_renumbers_them(both: ImageSet) -> None:
    kept = both.keep(["b"], "only b")
    assert (kept.name, kept.classes, kept.labels.tolist()) == ("only b", ("b",), [0, 0, 0])
    assert list(kept.keys) == [key for key, label in zip(both.keys, both.labels, strict=True) if label == 1]
    with pytest.raises(DataError, match=r"no class \['z'\]"):
        both.keep(["z"])


def test_the_kept_classes_stay_in_their_order(image_set: Callable[..., ArraySet]) -> None:
    kept = image_set(2, 4).keep(["d", "b"])
    assert (kept.classes, kept.labels.tolist()) == (("b", "d"), [0, 1, 0, 1])
    assert kept.keys == ("noise/1", "noise/3", "noise/5", "noise/7")


def test_the_digest_is_of_the_content_and_the_order(both: ImageSet) -> None:
    again = both.take(list(range(6)))
    assert again.digest == both.digest
    others = [both.take([1, 0, 2, 3, 4, 5]), both.take([0, 1]), both.relabel(both.labels.flip(0), both.classes)]
    others += [both.relabel(both.labels, ("x", "y"))]
    assert len({both.digest, *(other.digest for other in others)}) == 5
    assert both.relabel(both.labels, both.classes, "another name").digest == both.digest


def test_one_changed_pixel_changes_digest_and_one_fingerprint(image_set: Callable[..., ArraySet]) -> None:
    images = image_set()
    changed = images.images.clone()
    changed[7, 1, 3, 3] ^= 1
    other = ArraySet(changed, images.labels, images.keys, classes=images.classes)
    differing = [a != b for a, b in zip(images.fingerprints, other.fingerprints, strict=True)]
    assert differing == [row == 7 for row in range(12)]
    assert other.digest != images.digest


def test_fingerprints_of_files_and_arrays_agree(tmp_path: Path, folder_of) -> None:
    files = image_folder(folder_of(tmp_path / "set", "a/0.png", "a/1.png"))
    (batch,) = files.batches()
    assert files.fingerprints == tuple(fingerprints(batch.images))
    assert files.fingerprints == files.seen(Preprocessing(size=8))


def test_the_shape_belongs_to_the_fingerprint() -> None:
    zeros = torch.zeros(1, 3, 4, 9, dtype=torch.uint8)
    assert fingerprints(zeros) != fingerprints(zeros.view(1, 3, 9, 4))


def test_pictures_of_several_sizes_need_a_preprocessing(tmp_path: Path, folder_of) -> None:
    folder_of(tmp_path / "set", "a/0.png", side=8)
    files = image_folder(folder_of(tmp_path / "set", "a/1.png", "b/1.png", side=9))
    with pytest.raises(DataError, match="differ in size"):
        list(files.batches())
    assert next(files.batches(8, Preprocessing())).images.shape == (3, 3, 32, 32)


def test_a_broken_file_is_named_when_it_is_read(tmp_path: Path, folder_of) -> None:
    folder = folder_of(tmp_path / "set", "a/0.png")
    (folder / "a/broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"set: a/broken\.png"):
        list(image_folder(folder).batches())


def test_counts_name_every_class_and_skip_the_unlabelled() -> None:
    images = ArraySet(
        torch.zeros(3, 3, 4, 4, dtype=torch.uint8), torch.tensor([1, -1, 1]), tuple("xyz"), classes=("a", "b")
    )
    assert images.counts == {"a": 0, "b": 2}


@pytest.mark.parametrize(
    ("n", "labels", "keys", "said"),
    [
        (2, [0], ("x", "y"), "one label per image"),
        (2, [0, 0], ("x",), "one key per image"),
        (1, [2], ("x",), r"0\.\.1, or be -1; got 2\.\.2"),
        (1, [-2], ("x",), "or be -1"),
    ],
)
def test_parts_that_do_not_fit_are_refused(n: int, labels: list[int], keys: tuple[str, ...], said: str) -> None:
    with pytest.raises(DataError, match=said):
        ArraySet(torch.zeros(n, 3, 4, 4, dtype=torch.uint8), torch.tensor(labels), keys, classes=("a", "b"))


def test_numbered_keys_behave_like_a_tuple() -> None:
    keys = Numbered("s", range(300_000))
    assert (len(keys), keys[17], keys[-1]) == (300_000, "s/17", "s/299999")
    assert list(keys[2:6][1:3]) == ["s/3", "s/4"]


@settings(max_examples=50)
@given(n=st.integers(0, 20), start=st.none() | st.integers(-25, 25), stop=st.none() | st.integers(-25, 25))
def test_positions_of_a_slice_are_python_s(n: int, start, stop) -> None:
    assert positions(slice(start, stop), n).tolist() == list(range(n))[start:stop]


def test_an_empty_choice_is_an_empty_set(both: ImageSet) -> None:
    empty = both.take([])
    assert (len(empty), list(empty.batches())) == (0, [])
    assert isinstance(empty.digest, str)


@pytest.mark.gpu
def test_a_set_on_the_device_stays_there(image_set: Callable[..., ArraySet]) -> None:
    there = image_set().to("cuda")
    assert there.take([1, 2]).images.is_cuda
    assert next(there.batches(5)).labels.is_cuda
    assert there.digest == image_set().digest


def test_files_are_the_lazy_kind(tmp_path: Path, folder_of) -> None:
    files = image_folder(folder_of(tmp_path / "set", "a/0.png"))
    (tmp_path / "set/a/0.png").unlink()
    assert isinstance(files, FileSet)
    assert len(files) == 1
    with pytest.raises(DataError, match=r"0\.png' cannot be read"):
        files[0]
