import base64
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.services import resources, samples
from app.services.nearest import AMONG, DRAWN, closest
from app.services.resources import Answer, Exhibit
from oodcore.checkpoint import folder_of
from oodcore.data.procedural import procedural
from oodcore.evaluate.pictures import reference_images


def alone(ahead: int) -> None:
    """Nobody else is here."""
    assert ahead == 0


def shapes() -> Exhibit:
    return resources.exhibit(resources.folders()["shapes-resnet20w4"])


def row_of(shown: Exhibit, row: int) -> Answer:
    """A picture of the reference itself."""
    bank = shown.reference["shapes"]
    return Answer(bank.outputs.logits[row].softmax(0), bank.outputs.features[row], {})


@pytest.mark.parametrize("row", [0, 500, 999])
def test_a_known_picture_is_closest_to_itself_and_looks_like_it(served: object, row: int) -> None:
    shown = shapes()
    found = closest(shown, row_of(shown, row), alone)
    assert found is not None
    first = found.pictures[0]
    assert first.distance == pytest.approx(0, abs=1e-5)
    assert first.label == shown.model.classes[int(shown.reference["shapes"].labels[row])]
    assert first.seen is not None
    number = int(torch.randperm(2000, generator=torch.Generator().manual_seed(0))[:1000].sort().values[row])
    seen = Image.open(io.BytesIO(base64.b64decode(first.seen.partition(",")[2])))
    drawn = procedural("shapes", "test")[number].image
    assert torch.equal(torch.from_numpy(np.array(seen.convert("RGB"))).movedim(-1, 0), drawn)


def test_neighbours_are_counted_by_class_and_come_closest_first(served: object) -> None:
    shown = shapes()
    pictures = samples.groups(shown.model.classes, shown.known)["new"].pictures()
    for answer in resources.answers(shown, pictures, waiting=alone):
        found = closest(shown, answer, alone)
        assert found is not None
        counts = [count for _, count in found.classes]
        assert sum(counts) == AMONG
        assert counts == sorted(counts, reverse=True)
        distances = [near.distance for near in found.pictures]
        assert len(distances) == DRAWN
        assert distances == sorted(distances)


def test_pictures_that_are_not_those_of_the_reference_are_not_shown(served: object) -> None:
    """The rows of a reference that was made of other pictures still have classes."""
    shown = shapes()
    bank = shown.reference["shapes"]
    moved = dataclasses.replace(bank, outputs=bank.outputs.take(torch.arange(len(bank)).roll(1)))
    other = dataclasses.replace(shown, name="moved", reference={"shapes": moved})
    other.__dict__["key"] = "moved"
    found = closest(other, row_of(other, 3), alone)
    assert found is not None
    assert [near.seen for near in found.pictures] == [None] * DRAWN


def test_without_a_reference_of_known_pictures_there_are_none(served: object) -> None:
    shown = dataclasses.replace(shapes(), name="alone", reference={})
    assert closest(shown, row_of(shapes(), 0), alone) is None


def test_what_takes_a_moment_waits_for_its_turn_and_is_not_done_twice(
    served: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, waits = dataclasses.replace(shapes(), name="new"), []
    shown.__dict__["key"] = "never seen before"
    for _ in range(2):
        assert closest(shown, row_of(shown, 0), waits.append) is not None
    assert waits == [0]


@pytest.mark.slow
def test_known_photographs_are_shown_where_they_are_at_hand(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frogs beside a frog, although no program draws them."""
    monkeypatch.setenv("OOD_DATA", str(data_root))
    shown = resources.exhibit(folder_of("cifar10-resnet20"))
    bank = shown.reference["cifar10-jpeg"]
    answer = Answer(bank.outputs.logits[7].softmax(0), bank.outputs.features[7], {})
    found = closest(shown, answer, alone)
    assert found is not None
    assert all(near.seen for near in found.pictures)
    images = reference_images("cifar10-jpeg", shown.measured["cifar10-jpeg"], ())
    seen = Image.open(io.BytesIO(base64.b64decode(str(found.pictures[0].seen).partition(",")[2])))
    assert torch.equal(torch.from_numpy(np.array(seen.convert("RGB"))).movedim(-1, 0), images[7].image)
