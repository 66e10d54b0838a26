"""What a network takes outliers for: counted, thinned, and found again."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from oodcore.data.procedural import procedural
from oodcore.errors import CheckpointError, DataError
from oodcore.evaluate.census import Census, counting, load_censuses, read_censuses, save_censuses, take_census
from oodcore.models import Network, build
from oodcore.models.collect import collect
from oodcore.priors import outlier_counts, softmax_average


@pytest.fixture(scope="module")
def model() -> Network:
    torch.manual_seed(1)
    return build("resnet-8-w4", procedural("shapes", count=1).classes).eval()


@pytest.fixture(scope="module")
def census(model: Network) -> Census:
    return take_census(model, procedural("shapes-aux", "test", count=200), "test", batch_size=64)


def plain(logits: list[list[float]], labels: list[int], kinds: tuple[str, ...] = ("a", "b")) -> Census:
    rows = torch.tensor(logits)
    return Census(
        "made-up",
        "test",
        kinds,
        outlier_counts(rows),
        softmax_average(rows),
        torch.arange(len(rows)),
        torch.tensor(labels),
        rows,
    )


def test_counts_are_those_of_one_pass_over_all_images(model: Network, census: Census) -> None:
    bank = collect(model, procedural("shapes-aux", "test", count=200))
    assert torch.equal(census.counts, outlier_counts(bank))
    assert torch.allclose(census.average, softmax_average(bank))
    assert torch.allclose(census.logits, bank.outputs.logits, atol=1e-5)
    assert census.images == 200
    assert census.energies.tolist() == pytest.approx((-census.logits.logsumexp(dim=1)).tolist())


def test_kept_rows_are_numbers_in_the_set_and_keep_their_labels(
    model: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oodcore.evaluate import census as module

    monkeypatch.setattr(module, "ROWS", 10)
    images = procedural("shapes-aux", "test", count=40)
    few = take_census(model, images, "test")
    assert few.rows.tolist() == list(range(0, 40, 4))
    assert few.labels.tolist() == images.labels[few.rows].tolist()
    assert few.images == 40
    again = collect(model, images.take(few.rows)).outputs.logits
    assert torch.allclose(few.logits, again, atol=1e-5)


def test_counts_grow_batch_by_batch_and_the_last_are_all(model: Network) -> None:
    images = procedural("shapes-aux", count=70)
    told = list(counting(model, images, "test", batch_size=32))
    for counts, taken in zip(told, (32, 64, 70), strict=True):
        assert counts.tolist() == outlier_counts(collect(model, images.take(slice(0, taken)))).tolist()


def test_thinning_keeps_the_first_of_each_kind() -> None:
    """Four of each of two kinds; 1:4 keeps four of the first and one of the last."""
    labels = [0, 1, 0, 1, 0, 1, 0, 1]
    whole = plain([[float(row), 0.5] for row in range(8)], labels)
    thin = whole.thinned(4)
    assert thin.rows.tolist() == [0, 1, 2, 4, 6]
    assert thin.labels.tolist() == [0, 1, 0, 0, 0]
    assert thin.counts.tolist() == [4, 1]
    assert thin.counts.sum() == len(thin.logits)
    assert torch.allclose(thin.average, softmax_average(thin.logits))


def test_no_imbalance_takes_as_many_of_each_kind() -> None:
    whole = plain([[1.0, 0.0]] * 5, [0, 0, 0, 1, 1])
    assert whole.thinned(1).rows.tolist() == [0, 1, 3, 4]


def test_a_stronger_imbalance_only_leaves_images_out(census: Census) -> None:
    chosen = [set(census.thinned(level).rows.tolist()) for level in (1, 3, 10, 20)]
    assert all(fewer < more for more, fewer in pairwise(chosen))


@pytest.mark.parametrize("imbalance", [0.5, 0.0, -1.0, float("inf"), float("nan")])
def test_an_imbalance_is_at_least_one(imbalance: float) -> None:
    with pytest.raises(DataError, match="1 or more"):
        plain([[1.0, 0.0]] * 2, [0, 1]).thinned(imbalance)


@pytest.mark.parametrize(("labels", "kinds"), [([0, -1], ("a", "b")), ([-1, -1], ())])
def test_images_of_no_kind_cannot_be_thinned(labels: list[int], kinds: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="no known kinds"):
        plain([[1.0, 0.0]] * 2, labels, kinds).thinned(2)


def test_an_empty_set_is_told(model: Network) -> None:
    with pytest.raises(DataError, match="is empty"):
        take_census(model, procedural("shapes-aux", count=0), "test")


def test_several_are_written_and_read_again(census: Census, tmp_path: Path) -> None:
    path = tmp_path / "outliers.safetensors"
    save_censuses(path, {"all": census, "few": census.thinned(5)})
    found = read_censuses(path)
    assert list(found) == ["all", "few"]
    assert found["all"].kinds == census.kinds
    assert (found["all"].name, found["all"].split) == ("shapes-aux", "test")
    for field in ("counts", "average", "rows", "labels", "logits"):
        assert torch.equal(getattr(found["all"], field), getattr(census, field))


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b"not a file"])
def test_a_damaged_file_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "outliers.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"is damaged .* Count the outliers again"):
        read_censuses(path)


def test_a_checkpoint_without_a_census_has_none(tmp_path: Path, model: Network) -> None:
    from oodcore.checkpoint import Card, save

    save(tmp_path / "plain", model, Card.of(model))
    assert load_censuses(tmp_path / "plain") == {}
