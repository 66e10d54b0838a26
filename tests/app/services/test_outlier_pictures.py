"""Pictures of outliers are those of the numbers beside them."""

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.services import outlier_pictures, outliers, resources
from app.services.outlier_pictures import pictures, thumbnail
from app.services.outliers import Source
from app.services.resources import Exhibit
from oodcore.data import open_set
from oodcore.data.procedural import procedural
from oodcore.errors import DataError, UnknownNameError
from oodcore.evaluate.census import take_census
from oodcore.models.collect import outputs_of


@pytest.fixture
def tiny(served: Path) -> tuple[Path, Exhibit]:
    return served / "tiny", resources.exhibit(served / "tiny")


def counted(shown: Exhibit) -> Source:
    census = take_census(shown.model, procedural("shapes-aux", "test", count=100), "test")
    return Source(census, "counted here", f"{shown.key} pictures")


def test_drawn_pictures_have_addresses_and_are_those_of_the_set(tiny: tuple[Path, Exhibit]) -> None:
    found = counted(tiny[1])
    thin = found.census.thinned(10)
    (address,) = pictures(found, thin, [5])
    assert address == f"drawn/shapes-aux/test/{int(thin.rows[5])}.png"
    image = np.asarray(Image.open(io.BytesIO(thumbnail("shapes-aux", "test", int(thin.rows[5])))))
    expected = procedural("shapes-aux", "test").images[int(thin.rows[5])]
    assert np.array_equal(image, expected.movedim(0, -1).numpy())


def test_pictures_of_a_reference_are_those_of_its_rows(
    tiny: tuple[Path, Exhibit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """80 images were measured, the first of their set, so each is called by its place among them."""
    folder, shown = tiny
    monkeypatch.setattr(outlier_pictures, "SPLITS", {"train": 10_000, "calibration": 2_000, "test": 80})
    found = outliers.source(folder, shown, "shapes-far")
    assert found is not None
    assert pictures(found, found.census, [0, 7]) == [
        "drawn/shapes-far/test/0.png",
        "drawn/shapes-far/test/7.png",
    ]
    image = procedural("shapes-far", "test", rows=[7])
    logits = outputs_of(shown.model, shown.model.transform.pixels(image.images, "lossless"), norms=False).logits
    assert torch.allclose(logits[0], found.census.logits[7], atol=1e-3)


def test_pictures_of_sets_on_disk_are_read_from_there(
    tiny: tuple[Path, Exhibit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (12, 32, 32, 3), dtype=np.uint8)
    np.save(tmp_path / "300K_random_images.npy", pixels)
    monkeypatch.setenv("OOD_DATA", str(tmp_path))
    census = take_census(tiny[1].model, open_set("random-300k", "train"), "train")
    found = Source(census, "here", "random")
    (source,) = pictures(found, census, [4])
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))
    assert np.array_equal(image, pixels[4])


def test_pictures_that_are_not_here_say_how_to_get_them(tiny: tuple[Path, Exhibit]) -> None:
    census = replace(counted(tiny[1]).census, name="tin-aux50", split="train")
    with pytest.raises(DataError, match="is not here"):
        pictures(Source(census, "", "absent"), census, [0])


@pytest.mark.parametrize(
    ("name", "split", "number"),
    [("tin-aux50", "train", 0), ("shapes-aux", "all", 0), ("shapes-aux", "test", 2000), ("shapes-aux", "test", -1)],
)
def test_no_other_picture_can_be_asked_for(name: str, split: str, number: int) -> None:
    with pytest.raises((UnknownNameError, DataError)):
        thumbnail(name, split, number)
