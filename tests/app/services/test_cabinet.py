"""What a visitor brings is read once, beside the line of those who score, and tried in it."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.services import cabinet, resources
from app.services.cabinet import Brought
from oodcore.errors import CheckpointError
from oodcore.models import build


def nobody(ahead: int) -> None:
    assert ahead == 0


@pytest.fixture
def brought(tmp_path: Path) -> Brought:
    torch.manual_seed(4)
    torch.save(build("resnet-8-w4", 3).state_dict(), tmp_path / "net.pt")
    return Brought("net.pt", (tmp_path / "net.pt").read_bytes(), str(tmp_path))


def test_other_names_and_another_normalisation_share_the_weights_of_one_reading(
    brought: Brought, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = cabinet.looked_at(brought, nobody)
    monkeypatch.setattr(cabinet, "recognised", lambda source: pytest.fail("it was read again"))
    other = replace(found.transform, mean=(0.1, 0.2, 0.3), assumed=False)
    named = cabinet.looked_at(brought, nobody, ("ant", "bee", "cow"), other)
    assert (named.classes, named.transform) == (("ant", "bee", "cow"), other)
    assert found.classes == ("class 0", "class 1", "class 2")
    assert found.transform != other
    assert not [note for note in named.notes if "Assumed" in note]
    assert named.head.weight.data_ptr() == found.head.weight.data_ptr()
    with pytest.raises(CheckpointError, match="3 outputs; 2 class names"):
        cabinet.looked_at(brought, nobody, ("ant", "bee"))


def test_reading_a_large_file_keeps_nobody_from_scoring(brought: Brought, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, go_on, read = threading.Event(), threading.Event(), cabinet.recognised

    def slowly(source: object) -> object:
        reading.set()
        assert go_on.wait(20)
        return read(source)

    monkeypatch.setattr(cabinet, "recognised", slowly)
    visitor = threading.Thread(target=cabinet.looked_at, args=(brought, nobody))
    visitor.start()
    assert reading.wait(20)
    with resources.turn(nobody):
        go_on.set()
    visitor.join(20)
    assert cabinet.looked_at(brought, nobody).architecture == "resnet-8-w4"


def test_weights_that_were_read_take_so_many_bytes_and_no_more(
    brought: Brought, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = cabinet.weights_size(cabinet.looked_at(brought, nobody))
    monkeypatch.setattr(cabinet._LOOKED, "size", 2 * size)
    others = [brought._replace(key=f"{brought.key} {number}") for number in range(3)]
    for other in others:
        cabinet.looked_at(other, nobody)
    assert [(other.key, "net.pt") in cabinet._LOOKED._kept for other in others] == [False, True, True]
