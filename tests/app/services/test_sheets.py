"""Thumbnails: each tile is the image of its own row."""

import io

import pytest
import torch
from PIL import Image

from app.services import resources, sheets
from oodcore.checkpoint import folder_of
from oodcore.data.procedural import procedural
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
