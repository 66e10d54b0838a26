"""Drawn pictures by their address."""

import io

import numpy as np
import pytest
from PIL import Image
from starlette.requests import Request

from app.asgi import app, thumbnail
from oodcore.data.procedural import procedural


def ask(name: str, split: str, number: int) -> Request:
    return Request({"type": "http", "path_params": {"name": name, "split": split, "number": number}})


def test_an_address_gives_the_picture_of_the_set() -> None:
    answer = thumbnail(ask("shapes-aux-50", "train", 12))
    assert (answer.status_code, answer.media_type) == (200, "image/png")
    image = np.asarray(Image.open(io.BytesIO(bytes(answer.body))))
    (expected,) = procedural("shapes-aux", "train", imbalance=50, rows=[12]).images
    assert np.array_equal(image, expected.movedim(0, -1).numpy())
    assert "immutable" in answer.headers["cache-control"]
    assert app is not None


@pytest.mark.parametrize(
    ("name", "split", "number"),
    [("cifar10", "test", 0), ("shapes-aux-0", "test", 0), ("shapes", "../test", 0), ("shapes", "test", 10**9)],
)
def test_nothing_else_is_given_away(name: str, split: str, number: int) -> None:
    answer = thumbnail(ask(name, split, number))
    assert answer.status_code == 404
    assert answer.media_type == "text/plain"
