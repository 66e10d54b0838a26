from pathlib import Path

import pytest

from oodcore.cli.photos import expand


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.JPG", "a.png", "notes.txt", "below/c.webp"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "album.jpg").mkdir()
    return tmp_path


def test_a_folder_means_the_photos_below_it_in_order(folder: Path) -> None:
    assert expand([str(folder)]) == ([folder / "a.png", folder / "b.JPG", folder / "below/c.webp"], [])


def test_a_named_file_is_taken_whatever_its_ending_even_if_missing(folder: Path) -> None:
    named = [folder / "notes.txt", folder / "gone.png"]
    assert expand([str(path) for path in named]) == (named, [])


def test_a_pattern_is_expanded_and_nothing_is_named_twice(folder: Path) -> None:
    found, missing = expand([str(folder / "a.png"), str(folder / "*.png"), str(folder / "**/*.webp")])
    assert found == [folder / "a.png", folder / "below/c.webp"]
    assert missing == []


def test_a_file_whose_name_looks_like_a_pattern_is_itself(folder: Path) -> None:
    odd = folder / "photo[1].png"
    odd.write_bytes(b"x")
    assert expand([str(odd)])[0] == [odd]


def test_what_means_nothing_is_told_and_the_rest_goes_on(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    found, missing = expand([str(empty), str(folder / "*.bmp"), str(folder / "a.png")])
    assert found == [folder / "a.png"]
    assert [name for name, _ in missing] == [str(empty), str(folder / "*.bmp")]
    assert "holds no photos" in missing[0][1]
    assert "No file matches" in missing[1][1]
