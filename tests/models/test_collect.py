"""One pass: what it gives, what it leaves alone, and that a cache never lies."""

from pathlib import Path

import pytest
import torch
from torch import nn

import oodcore
from oodcore.data import ArraySet
from oodcore.errors import CheckpointError, DataError, ScoreError
from oodcore.models import Classifier, build
from oodcore.models.bank_on_disk import BankOnDisk
from oodcore.models.collect import class_index, collect, evaluating, outputs_of
from oodcore.records import Bank
from tests.models.conftest import CLASSES, image_set


def same(one: Bank, other: Bank) -> bool:
    pairs = zip(one.outputs[:3], other.outputs[:3], strict=True)
    return torch.equal(one.labels, other.labels) and all(torch.equal(a, b) for a, b in pairs)


def bare(model: Classifier, images: ArraySet) -> torch.Tensor:
    with torch.no_grad():
        return model(model.transform.normalise(images.images)).logits


def test_outputs_are_those_of_a_bare_forward_pass(model: Classifier, pictures: ArraySet) -> None:
    bank = collect(model, pictures, batch_size=16)
    with torch.no_grad():
        expected = model(model.transform.normalise(pictures.images), norms=True)
    for got, want in zip(bank.outputs[:3], expected[:3], strict=True):
        assert torch.allclose(got, want, atol=1e-5)
    assert torch.equal(bank.labels, pictures.labels)
    assert torch.allclose(bank.head(bank.outputs.features), bank.outputs.logits, atol=1e-5)


def test_norms_are_left_out_on_request(model: Classifier, pictures: ArraySet) -> None:
    assert collect(model, pictures, norms=False).outputs.norms is None


def test_the_bank_owns_its_tensors(model: Classifier, pictures: ArraySet) -> None:
    """Later training must change neither the head nor the outputs, and autograd may use them."""
    bank = collect(model, pictures)
    head = bank.head.weight.clone()
    with torch.no_grad():
        model.fc.weight.add_(1.0)
    assert torch.equal(bank.head.weight, head)
    scale = torch.ones(1, requires_grad=True)
    (bank.outputs.logits * scale).sum().backward()
    assert scale.grad is not None


def test_modes_are_as_before_even_those_of_parts(model: Classifier, pictures: ArraySet) -> None:
    model.train()
    model.blocks[0].eval()
    before = [module.training for module in model.modules()]
    statistics = model.state_dict()["stem.bn1.running_mean"].clone()
    collect(model, pictures)
    assert [module.training for module in model.modules()] == before
    assert torch.equal(model.state_dict()["stem.bn1.running_mean"], statistics)


def test_modes_are_as_before_after_a_failure(model: Classifier) -> None:
    model.train()
    with pytest.raises(RuntimeError), evaluating(model):
        raise RuntimeError
    assert all(module.training for module in model.modules())


def test_labels_follow_class_names_whatever_their_order(model: Classifier) -> None:
    images = image_set(classes=("dog", "zebra", "Bee"))
    index = torch.tensor([3, -1, 1])
    assert torch.equal(collect(model, images).labels, index[images.labels])


def test_unlabelled_images_stay_unlabelled(model: Classifier, pictures: ArraySet) -> None:
    pictures.labels[::2] = -1
    assert torch.equal(collect(model, pictures).labels, pictures.labels)


def test_a_network_without_class_names_takes_the_order_of_as_many_classes() -> None:
    assert class_index(image_set(), ("class 0", "class 1", "class 2", "class 3")).tolist() == [0, 1, 2, 3, -1]
    assert class_index(image_set(), ("class 0", "class 1")).tolist() == [-1, -1, -1, -1, -1]


def test_progress_counts_images_to_the_end(model: Classifier, pictures: ArraySet) -> None:
    seen: list[tuple[int, int]] = []
    collect(model, pictures, batch_size=16, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(16, 40), (32, 40), (40, 40)]


@pytest.mark.parametrize("on_disk", [False, True])
def test_what_progress_raises_ends_the_pass_and_leaves_nothing(
    model: Classifier, pictures: ArraySet, tmp_path: Path, on_disk: bool
) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    model.train()
    with pytest.raises(KeyboardInterrupt):
        collect(model, pictures, batch_size=16, progress=stop, **{"on_disk" if on_disk else "cache": tmp_path})
    assert list(tmp_path.iterdir()) == []
    assert model.training


def test_lower_precision_comes_back_in_float32_and_close(model: Classifier, pictures: ArraySet) -> None:
    low, full = (collect(model, pictures, precision=p).outputs for p in ("bfloat16", "float32"))
    assert low.logits.dtype == low.features.dtype == torch.float32
    assert not torch.equal(low.logits, full.logits)
    assert torch.allclose(low.logits, full.logits, atol=0.1, rtol=0.1)


@pytest.mark.parametrize("where", ["fc.weight", "stem.conv1.weight"])
def test_nan_in_the_network_names_the_image(model: Classifier, pictures: ArraySet, where: str) -> None:
    with torch.no_grad():
        model.get_parameter(where).fill_(float("nan"))
    with pytest.raises(ScoreError, match="NaN or infinite logits for 'pictures/0'"):
        collect(model, pictures)


def test_an_empty_set_is_a_sentence(model: Classifier, pictures: ArraySet) -> None:
    with pytest.raises(DataError, match="'pictures' is empty"):
        collect(model, pictures.take(slice(0, 0)))


def test_a_bare_module_is_told_how_to_be_wrapped(pictures: ArraySet) -> None:
    with pytest.raises(CheckpointError, match="adapt"):
        collect(nn.Linear(2, 2), pictures)


def test_the_public_name_is_this_function() -> None:
    assert oodcore.collect is collect


def test_outputs_of_one_batch(model: Classifier, pictures: ArraySet) -> None:
    assert torch.allclose(outputs_of(model, pictures.images).logits, bare(model, pictures), atol=1e-5)


# --- on disk ---------------------------------------------------------------------------------------------------------


def test_a_bank_on_disk_is_the_bank_in_memory(model: Classifier, pictures: ArraySet, tmp_path: Path) -> None:
    stored = collect(model, pictures, batch_size=16, on_disk=tmp_path)
    memory = collect(model, pictures, batch_size=16)
    assert isinstance(stored, BankOnDisk)
    assert same(stored.read(), memory)
    assert torch.equal(stored.head.weight, memory.head.weight)
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]


def test_a_bank_on_disk_is_found_again(model: Classifier, pictures: ArraySet, tmp_path: Path) -> None:
    first = collect(model, pictures, on_disk=tmp_path)
    passes: list[int] = []
    again = collect(model, pictures, on_disk=tmp_path, progress=lambda done, total: passes.append(done))
    assert again.path == first.path
    assert passes == []


# --- cache -----------------------------------------------------------------------------------------------------------


def counted(model: Classifier, images: ArraySet, cache: Path, **options: object) -> tuple[Bank, bool]:
    """The bank, and whether the network ran for it."""
    passes: list[int] = []
    bank = collect(model, images, cache=cache, progress=lambda done, total: passes.append(done), **options)
    return bank, bool(passes)


def test_the_same_content_is_computed_once(model: Classifier, pictures: ArraySet, tmp_path: Path) -> None:
    first, ran = counted(model, pictures, tmp_path)
    twin = build("resnet-8-w4", CLASSES).eval()
    twin.load_state_dict(model.state_dict())
    second, ran_again = counted(twin, image_set(), tmp_path)
    assert (ran, ran_again) == (True, False)
    assert same(first, second)


def test_sixty_models_built_and_dropped_never_read_each_others_results(pictures: ArraySet, tmp_path: Path) -> None:
    """Python reuses addresses, so a cache keyed by `id` would."""
    addresses = set()
    for seed in range(60):
        torch.manual_seed(seed)
        model = build("resnet-8-w2", CLASSES).eval()
        addresses.add(id(model))
        bank, _ = counted(model, pictures.take(slice(0, 8)), tmp_path)
        assert torch.allclose(bank.outputs.logits, bare(model, pictures.take(slice(0, 8))), atol=1e-5)
        del model
    assert len(list(tmp_path.iterdir())) == 60


def test_weights_changed_in_place_give_a_new_result(model: Classifier, pictures: ArraySet, tmp_path: Path) -> None:
    before, _ = counted(model, pictures, tmp_path)
    with torch.no_grad():
        model.fc.weight[0, 0] += 0.5
    after, ran = counted(model, pictures, tmp_path)
    assert ran
    assert torch.allclose(after.outputs.logits, bare(model, pictures), atol=1e-5)
    assert not torch.equal(before.outputs.logits, after.outputs.logits)


def test_running_statistics_changed_in_place_give_a_new_result(
    model: Classifier, pictures: ArraySet, tmp_path: Path
) -> None:
    counted(model, pictures, tmp_path)
    model.get_buffer("stem.bn1.running_var").mul_(2)
    assert counted(model, pictures, tmp_path)[1]


def test_preprocessing_data_norms_and_precision_are_part_of_the_key(
    model: Classifier, pictures: ArraySet, tmp_path: Path
) -> None:
    from dataclasses import replace

    counted(model, pictures, tmp_path)
    assert counted(model, pictures, tmp_path, norms=False)[1]
    assert counted(model, pictures, tmp_path, precision="bfloat16")[1]
    changed = replace(pictures, images=pictures.images.clone())
    changed.images[3, 0, 0, 0] ^= 1
    assert counted(model, changed, tmp_path)[1]
    model.transform = replace(model.transform, mean=(0.5, 0.5, 0.5))
    assert counted(model, pictures, tmp_path)[1]


def test_a_cache_file_that_was_cut_off_is_written_again(model: Classifier, pictures: ArraySet, tmp_path: Path) -> None:
    first, _ = counted(model, pictures, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-100])
    second, ran = counted(model, pictures, tmp_path)
    assert ran
    assert same(first, second)


@pytest.mark.gpu
def test_the_device_option_moves_the_model_there_and_back(model: Classifier, pictures: ArraySet) -> None:
    here = collect(model, pictures)
    there = collect(model, pictures, device="cuda")
    assert next(model.parameters()).device.type == "cpu"
    assert there.outputs.logits.device.type == there.head.weight.device.type == "cpu"
    assert torch.allclose(here.outputs.logits, there.outputs.logits, atol=1e-2, rtol=1e-2)


@pytest.mark.gpu
def test_a_model_on_cuda_stays_there(model: Classifier, pictures: ArraySet) -> None:
    bank = collect(model.cuda(), pictures, precision="bfloat16")
    assert next(model.parameters()).is_cuda
    assert bank.outputs.logits.device.type == "cpu"
