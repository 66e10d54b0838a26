"""The drawn sets: repeatable, apart from each other, counted, and of the difficulty that they promise."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oodcore.data import ArraySet
from oodcore.data._dice import Dice, stream, uniform
from oodcore.data._distance import box, circle, polygon, segment
from oodcore.data._figures import ALIKE, INSIDE, NOVEL
from oodcore.data._textures import TEXTURES
from oodcore.data.procedural import SETS, SPLITS, family_counts, procedural, render, spread
from oodcore.errors import DataError, UnknownNameError
from oodcore.functional import free_energy
from oodcore.losses import losses
from oodcore.metrics import auroc
from oodcore.models import build
from oodcore.train.loop import Training
from oodcore.train.recipe import Recipe

FIGURES = {**INSIDE, **ALIKE, **NOVEL}
every_set = pytest.mark.parametrize("name", list(SETS))


def test_splitmix_gives_the_published_numbers() -> None:
    """The first outputs for seed 1234567, as listed with the reference implementations of SplitMix64."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    drawn = uniform(np.arange(4, dtype=np.uint64), 1234567)
    assert drawn.tolist() == [(value >> 11) / 2**53 for value in published]


@every_set
def test_drawing_repeats_and_the_seed_changes_every_picture(name: str) -> None:
    once, again = procedural(name, count=20), procedural(name, count=20)
    assert torch.equal(once.images, again.images)
    assert once.digest == again.digest
    assert not set(once.fingerprints) & set(procedural(name, count=20, seed=1).fingerprints)


@every_set
def test_a_picture_does_not_depend_on_the_others(name: str) -> None:
    whole = procedural(name, "test", count=130)
    assert torch.equal(whole.images[:20], procedural(name, "test", count=20).images)
    late = np.array([127])
    alone = render(SETS[name], stream(f"{name}/test/0"), late, whole.labels[late].numpy())
    assert np.array_equal(alone[0], whole.images[127].numpy())


def test_single_pictures_are_those_of_the_whole_set() -> None:
    whole = procedural("shapes-aux", "test", count=60, imbalance=5)
    some = procedural("shapes-aux", "test", count=60, imbalance=5, rows=[41, 3])
    assert torch.equal(some.images, whole.images[[41, 3]])
    assert some.labels.tolist() == whole.labels[[41, 3]].tolist()
    assert some.keys == (whole.keys[41], whole.keys[3])
    with pytest.raises(DataError, match="60 images"):
        procedural("shapes-aux", "test", count=60, rows=[60])


def test_no_two_splits_or_sets_share_a_picture() -> None:
    prints = [print_ for name in SETS for split in SPLITS for print_ in procedural(name, split, count=50).fingerprints]
    assert len(set(prints)) == len(SETS) * len(SPLITS) * 50


def test_no_two_sets_share_a_family() -> None:
    families = [*INSIDE, *ALIKE, *NOVEL, *TEXTURES]
    assert len(families) == len(set(families)) == 40


@every_set
def test_a_set_says_what_it_is(name: str) -> None:
    images = procedural(name, "calibration", count=30)
    assert isinstance(images, ArraySet)
    assert (images.name, images.role, images.coding) == (name, SETS[name].role, "lossless")
    assert images.images.dtype == torch.uint8
    assert tuple(images.images.shape) == (30, 3, 32, 32)
    assert images.keys[12] == f"{name}/calibration/00012 {images.classes[int(images.labels[12])]}"
    assert list(images.counts.values()) == [3] * 10
    assert [key.rpartition(" ")[2] for key in images.keys] == [images.classes[label] for label in images.labels]


def test_pictures_use_the_range_without_saturating() -> None:
    pixels = procedural("shapes", count=200).images.float()
    assert pixels.min() < 10
    assert pixels.max() > 245
    assert ((pixels == 0) | (pixels == 255)).float().mean() < 0.12
    assert pixels.std(dim=(1, 2, 3)).min() > 4


def test_imbalance_counts_fall_exponentially_and_add_up() -> None:
    assert family_counts(4, 2, 3.0).tolist() == [3, 1]
    assert family_counts(700, 3, 4.0).tolist() == [400, 200, 100]
    images = procedural("shapes-aux", count=1000, imbalance=50.0)
    counts = list(images.counts.values())
    assert sum(counts) == 1000
    assert counts == sorted(counts, reverse=True)
    assert 40 < counts[0] / counts[-1] < 60
    assert images.name == "shapes-aux-50"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3000), st.integers(1, 20), st.floats(1, 1000))
def test_counts_are_within_one_of_their_exact_share(total: int, families: int, imbalance: float) -> None:
    counts = family_counts(total, families, imbalance)
    share = imbalance ** -np.linspace(0, 1, families)
    assert counts.sum() == total
    assert np.abs(counts - total * share / share.sum()).max() < 1


def test_any_stretch_and_every_tenth_picture_show_the_families_in_proportion() -> None:
    assert sorted(spread(np.array([2, 2, 2]))[:3].tolist()) == [0, 1, 2]
    labels = spread(family_counts(2000, 10, 50.0))
    first, second = (np.bincount(half, minlength=10) for half in np.split(labels, 2))
    assert np.abs(first - second).max() <= 2
    balanced = spread(family_counts(10_000, 10, 1.0))
    for step in (2, 5, 10):
        assert np.bincount(balanced[::step], minlength=10).min() > 0.7 * 1000 / step


def test_nothing_is_drawn_for_an_empty_set() -> None:
    assert len(procedural("shapes-far", count=0)) == 0


def test_polygons_know_their_inside_and_their_distance() -> None:
    x, y = np.meshgrid(np.linspace(-2, 2, 41), np.linspace(-2, 2, 41))
    square = [(1.0, 0.5), (-1.0, 0.5), (-1.0, -0.5), (1.0, -0.5)]
    for corners in (square, square[::-1]):
        assert np.allclose(polygon(x, y, corners), box(x, y, (1.0, 0.5)), atol=1e-12)
    assert np.allclose(segment(x, y, (0.0, -1.0), (0.0, 1.0)), box(x, y, (0.0, 1.0)), atol=1e-12)


@pytest.mark.parametrize("name", list(FIGURES))
def test_every_figure_fills_a_fair_part_of_its_disc_and_stays_near_it(name: str) -> None:
    x, y = (grid[None] for grid in np.meshgrid(np.linspace(-1.5, 1.5, 61), np.linspace(-1.5, 1.5, 61)))
    gap = FIGURES[name](x, y, Dice(stream(name), np.arange(40)))
    share = (gap < 0).mean(axis=(1, 2)) * 9 / np.pi
    assert 0.12 < share.min() <= share.max() < 1
    assert (gap[:, circle(x, y, 1.35)[0] > 0] > 0).all()


@pytest.mark.parametrize("name", list(FIGURES))
def test_near_the_outline_the_distance_grows_like_a_distance(name: str) -> None:
    """Anti-aliasing needs a slope of one; median, as ridges and corners have none."""
    step = 0.02
    x, y = (grid[None] for grid in np.meshgrid(np.arange(-1.2, 1.2, step), np.arange(-1.2, 1.2, step)))
    gap = np.broadcast_to(
        ({**INSIDE, **ALIKE, **NOVEL})[name](x, y, Dice(stream(name), np.arange(3))), (3, *x.shape[1:])
    )
    slope = np.hypot(np.gradient(gap, step, axis=1), np.gradient(gap, step, axis=2))[np.abs(gap) < 0.04]
    assert 0.85 < np.median(slope) < 1.1


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"count": -1}, "0 pictures or more"),
        ({"imbalance": 0.5}, "1 or more; got 0.5"),
        ({"imbalance": float("nan")}, "1 or more; got nan"),
    ],
)
def test_wrong_settings_are_told(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        procedural("shapes-aux", **wrong)  # type: ignore[arg-type]


def test_an_unknown_set_gets_a_hint() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'shapes-near'"):
        procedural("shapes-neer")


@pytest.mark.slow
def test_a_small_network_learns_the_classes_and_near_outliers_stay_hard() -> None:
    """What the sets are tuned for: neither trivial nor hopeless after three epochs of a quarter-width ResNet-20."""
    inliers, test, near = procedural("shapes", "train"), procedural("shapes"), procedural("shapes-near")
    model = build("resnet-20-w4", inliers.classes)
    settings = Recipe(epochs=3, lr=0.1, batch=64, pad=0)
    for _ in Training(model, losses["cross_entropy"]().fit(), inliers, recipe=settings):
        pass
    model.eval()
    with torch.no_grad():
        inside, outside = (model(model.transform.normalise(images.images)).logits for images in (test, near))
    assert 0.85 <= (inside.argmax(1) == test.labels).float().mean().item() <= 0.97
    assert 0.70 <= auroc(free_energy(inside), free_energy(outside)) <= 0.97
