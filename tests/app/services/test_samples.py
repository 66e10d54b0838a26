import base64
import io
import pkgutil
import sys
from dataclasses import dataclass, field
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from app import services, widgets
from app.services import blocks, nearest, resources, samples, table
from app.services.memory import Memory, Shelf
from app.services.table import Side
from app.widgets import compare
from oodcore.data import Preprocessing
from oodcore.data.coded_sets import CIFAR10
from oodcore.data.procedural import procedural

SHAPES = procedural("shapes", "test", count=1).classes
NUMBERS = count()


def nothing(file_id: str) -> None:
    """Nobody else keeps these files."""


@dataclass
class Upload:
    """As `st.file_uploader` gives it."""

    name: str
    content: bytes
    file_id: str = field(default_factory=lambda: f"id-{next(NUMBERS)}")

    def getvalue(self) -> bytes:
        return self.content


def png(colour: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (40, 30), mode: str = "RGB") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, colour).convert(mode).save(data, "TIFF" if mode == "CMYK" else "PNG")
    return data.getvalue()


def test_a_bad_file_costs_one_sentence_and_the_good_ones_are_used() -> None:
    files = [Upload("good.png", png()), Upload("notes.png", b"hello"), Upload("empty.png", b""),
             Upload("cut.png", png(size=(300, 300))[:90])]  # fmt: skip
    found, sentences = samples.from_files(files, {}, nothing)
    assert sentences == []
    good, sentences = samples.prepare(found, Preprocessing())
    assert [picture.name for picture in good] == ["good.png"]
    assert len(sentences) == 3
    for name, sentence in zip(["notes.png", "empty.png", "cut.png"], sentences, strict=True):
        assert f"'{name}'" in sentence
        assert sentence.endswith(".")


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "I;16"])
def test_other_kinds_of_picture_are_read(mode: str) -> None:
    if mode == "I;16":
        data = io.BytesIO()
        Image.fromarray(np.full((20, 20), 30000, np.uint16)).save(data, "PNG")
        content = data.getvalue()
    else:
        content = png(mode=mode)
    found, _ = samples.from_files([Upload(f"{mode}.png", content)], {}, nothing)
    made = samples.prepared(found[0], Preprocessing())
    assert isinstance(made, samples.Prepared)
    assert made.pixels.shape == (3, 32, 32)
    if mode == "I;16":
        assert int(made.pixels.max()) == 117  # 30000 / 257, not clipped to 255


def test_too_many_files_and_repeats_are_told() -> None:
    files = [Upload(f"{index}.png", bytes([index])) for index in range(samples.LIMIT + 3)]
    found, sentences = samples.from_files(files, {}, nothing)
    assert len(found) == samples.LIMIT
    assert "67 files" in sentences[0]
    found, sentences = samples.from_files([Upload("a.png", b"x"), Upload("b.png", b"x")], {}, nothing)
    assert len(found) == 1
    assert sentences == ["'b.png' is the same file as 'a.png'; it is shown once."]


def test_a_file_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(samples, "decode", lambda content, name: calls.append(name) or Image.new("RGB", (9, 9), "red"))
    upload = Upload("once.png", b"never decoded before")
    for _ in range(3):
        found, _ = samples.from_files([upload], {}, nothing)
        samples.prepare(found, Preprocessing())
    assert calls == ["once.png"]
    samples.prepare(found, Preprocessing(size=24))
    assert len(calls) == 2


def test_a_photo_that_had_to_make_room_says_so_until_it_is_dropped_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    content, dropped = png((1, 2, 3)), []
    monkeypatch.setattr(samples, "_UPLOADS", Shelf(len(content) + 10))
    uploads: dict[str, samples.Upload] = {}
    (mine,), _ = samples.from_files([Upload("mine.png", content, "a")], uploads, dropped.append)
    assert not samples.lost(mine)
    newer, _ = samples.from_files([Upload("newer.png", png((3, 2, 1)), "b")], uploads, dropped.append)
    assert dropped == ["a"]
    assert samples.lost(mine)
    assert not samples.lost(newer[0])
    assert samples.prepare([mine], Preprocessing(size=20)) == (
        [], ["'mine.png' had to make room for newer photos. Drop it in again."])  # fmt: skip
    again, _ = samples.from_files([Upload("mine.png", content, "c")], uploads, dropped.append)
    assert samples.prepare(again, Preprocessing(size=20)) == (again, [])


def test_a_forgotten_photo_leaves_the_memory() -> None:
    dropped: list[str] = []
    (mine,), _ = samples.from_files([Upload("mine.png", png(), "a")], {}, dropped.append)
    samples.forget(mine)
    assert samples.lost(mine)
    assert dropped == ["a"]
    drawn = samples.groups(SHAPES, "shapes")["shapes"].pictures()[0]
    samples.forget(drawn)
    assert not samples.lost(drawn)


def test_nothing_that_was_made_of_a_forgotten_photo_is_kept(served: Path) -> None:
    shown = resources.exhibit(served / "tiny")
    files = [Upload("mine.png", png((9, 8, 7))), Upload("other.png", png((7, 8, 9)))]
    (mine, other), _ = samples.from_files(files, {}, nothing)
    for picture in (mine, other):
        samples.prepare([picture], Preprocessing(size=20))
        blocks.jigsaws(shown, picture, 0, nobody)
        resources.explained(shown, picture, nobody)
        (answer,) = resources.answers(shown, [picture], nobody)
        nearest.closest(shown, answer, nobody, picture.id)
        side = Side("tiny", shown, [answer])
        table.rows([side], [picture], 0.95, ["energy"])
        compare.compared([side], "energy", None, [picture])

    def kept(picture: samples.Picture) -> list[int]:
        """How many keys of each memory speak of it."""
        return [sum(picture.id in repr(key) for key in memory._kept) for memory in every_memory()]

    assert sum(kept(mine)) >= 8
    before = kept(other)
    samples.forget(mine)
    assert (sum(kept(mine)), kept(other)) == (0, before)


def nobody(ahead: int) -> None:
    """Is before us."""
    assert ahead == 0


def every_memory() -> list[Memory[Any, Any]]:
    """All that the modules of the app hold."""
    for package in (services, widgets):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    return [
        value
        for name, module in list(sys.modules.items())
        if name.startswith("app.")
        for value in vars(module).values()
        if isinstance(value, Memory)
    ]


def test_the_thumbnail_is_the_centre_square_and_small() -> None:
    picture = Image.new("RGB", (900, 300), "blue")
    picture.paste("red", (300, 0, 600, 300))
    data = io.BytesIO()
    picture.save(data, "PNG")
    found, _ = samples.from_files([Upload("wide.png", data.getvalue())], {}, nothing)
    made = samples.prepared(found[0], Preprocessing())
    assert isinstance(made, samples.Prepared)
    assert made.pixels[0].float().mean() > 250
    assert not made.small
    assert len(made.original) < 20_000


def test_a_picture_without_colour_is_pale_and_large() -> None:
    pixels = torch.zeros(3, 8, 8, dtype=torch.uint8)
    pixels[0, :4] = 255
    found = Image.open(io.BytesIO(base64.b64decode(samples.as_grey(pixels).partition(",")[2]))).convert("RGB")
    assert found.size == (192, 192)
    top, bottom = found.getpixel((96, 10)), found.getpixel((96, 180))
    assert len(set(top)) == 1
    assert 255 > top[0] > bottom[0] > 90


def test_samples_know_whether_the_network_was_trained_on_them() -> None:
    own = samples.groups(SHAPES, "shapes")
    assert list(own) == ["shapes", "new", "textures", "photographs"]
    assert {picture.truth for picture in own["shapes"].pictures()} == {"id"}
    assert {picture.truth for name in ("new", "textures", "photographs") for picture in own[name].pictures()} == {"ood"}
    assert [name for name, group in own.items() if not group.strange] == ["shapes"]


def test_most_photographs_are_strange_to_cifar10_but_the_cat_is_not() -> None:
    truths = {picture.name: picture.truth for picture in samples.groups(CIFAR10, None)["photographs"].pictures()}
    assert truths.pop("cat") == "id"
    assert set(truths.values()) == {"ood"}


def test_nothing_is_claimed_about_photographs_for_a_network_with_other_classes() -> None:
    photographs = samples.groups(("thing", "other thing"), None)["photographs"].pictures()
    assert {picture.truth for picture in photographs} == {None}


def test_pictures_of_different_content_have_different_ids() -> None:
    groups = samples.groups(SHAPES, "shapes")
    ids = [picture.id for group in groups.values() for picture in group.pictures()]
    assert len(set(ids)) == len(ids) >= 20
