"""Thumbnails: each tile is the image of its own row."""

import asyncio
import io
import threading
from typing import Any

import pytest
import torch
from PIL import Image

from app.services import resources, sheets
from oodcore.checkpoint import folder_of
from oodcore.data.procedural import procedural
from oodcore.errors import DataError
from oodcore.evaluate.pictures import image_rows

NAME = "shapes-resnet20w4"


def tile(content: bytes, number: int, side: int = 32) -> torch.Tensor:
    x, y = number % sheets.COLUMNS * side, number // sheets.COLUMNS * side
    part = Image.open(io.BytesIO(content)).convert("RGB").crop((x, y, x + side, y + side))
    return torch.frombuffer(bytearray(part.tobytes()), dtype=torch.uint8).reshape(side, side, 3).movedim(-1, 0).float()


@pytest.fixture(scope="module")
def content() -> bytes:
    shown = resources.exhibit(folder_of(NAME))
    found = sheets.sheet(shown, "shapes")
    assert found is not None
    assert found.rows == 32
    made = sheets.content(found.url.removeprefix("sheets/").removesuffix(".webp"))
    assert made is not None
    return made


@pytest.mark.parametrize("row", [0, 31, 32, 517, 999])
def test_a_tile_is_the_image_of_its_row_and_of_no_other(content: bytes, row: int) -> None:
    images = procedural("shapes", "test")
    numbers = image_rows(2000, 2000)
    apart = [
        float((tile(content, row) - images[int(numbers[other])].image).abs().mean())
        for other in (row, *range(0, 1000, 97), (row + 1) % 1000)
    ]
    assert apart[0] < 12
    assert min(value for value in apart[1:] if value != apart[0]) > 2 * apart[0]


def test_nobody_gets_what_no_page_has_asked_for() -> None:
    assert sheets.content("0" * 40) is None


def test_a_set_that_is_not_here_has_no_address_and_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("OOD_DATA", str(tmp_path))
    monkeypatch.setenv("OOD_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    shown = resources.exhibit(folder_of("cifar10-resnet20"))
    assert sheets.sheet(shown, "cifar10-jpeg") is None
    assert "cifar10_jpeg32.tar.xz" in str(sheets.how_to_get("cifar10-jpeg"))
    assert sheets.how_to_get("shapes") is None
    assert "does not know" in str(sheets.how_to_get("my own"))


def test_other_images_than_those_measured_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = resources.exhibit(folder_of(f"{NAME}-oe"))
    found = sheets.sheet(shown, "shapes-near")
    assert found is not None
    monkeypatch.setattr("oodcore.evaluate.pictures.image_rows", lambda measured, n: torch.arange(1000))
    assert sheets.content(found.url.removeprefix("sheets/").removesuffix(".webp")) is None


def key_of(name: str, checkpoint: str = f"{NAME}-oe") -> str:
    found = sheets.sheet(resources.exhibit(folder_of(checkpoint)), name)
    assert found is not None
    return found.url.removeprefix("sheets/").removesuffix(".webp")


def test_images_that_were_refused_are_not_looked_at_with_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    key, looks, now = key_of("shapes-far"), [], [1000.0]

    def other_images(*asked: Any) -> None:
        looks.append(asked)
        raise DataError("Other images.")

    monkeypatch.setattr(sheets, "verified_images", other_images)
    monkeypatch.setattr(sheets.time, "monotonic", lambda: now[0])
    assert [sheets.content(key), sheets.content(key)] == [None, None]
    assert len(looks) == 1
    now[0] += sheets.AGAIN + 1
    assert sheets.content(key) is None
    assert len(looks) == 2
    sheets._REFUSED.drop(lambda kept: kept == key)


def test_a_class_that_waits_for_a_sheet_waits_for_one_making_and_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key, made, go_on = key_of("shapes", f"{NAME}-energy"), [], threading.Event()

    def slowly(*asked: Any) -> torch.Tensor:
        made.append(asked)
        assert go_on.wait(20)
        return torch.zeros(1, 3, 8, 8, dtype=torch.uint8)

    async def a_class() -> list[bytes | None]:
        waiting = [asyncio.create_task(sheets.soon(key)) for _ in range(30)]
        await asyncio.sleep(0.05)
        assert await sheets.soon("0" * 40) is None
        waiting.pop().cancel()
        go_on.set()
        return await asyncio.wait_for(asyncio.gather(*waiting), 20)

    monkeypatch.setattr(sheets, "_tiles", slowly)
    answers = asyncio.run(a_class())
    assert len(made) == 1
    assert len(set(answers)) == 1
    assert answers[0] is not None
    sheets._MADE.drop(lambda kept: kept == key)


def test_a_sheet_of_a_checkpoint_that_was_replaced_is_not_made_of_the_other_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = key_of("shapes-near", f"{NAME}-balanced")
    monkeypatch.setattr(sheets, "folders", lambda: {f"{NAME}-balanced": folder_of(NAME)})
    assert sheets.content(key) is None
    sheets._REFUSED.drop(lambda kept: kept == key)
