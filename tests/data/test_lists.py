from pathlib import Path

import pytest

from oodcore.data import image_list
from oodcore.errors import DataError


@pytest.fixture
def benchmark(tmp_path: Path, folder_of) -> Path:
    """Laid out as the benchmarks are: lists here, images there."""
    folder_of(tmp_path / "data/images_classic", "texture/a b.png", "texture/c.png", "tin/d.png")
    (tmp_path / "data/benchmark_imglist/cifar10").mkdir(parents=True)
    return tmp_path / "data/benchmark_imglist/cifar10/test_texture.txt"


def test_openood_lines(benchmark: Path) -> None:
    benchmark.write_text("texture/c.png -1\n\ntin/d.png 7\ntexture/a b.png -1\n")
    images = image_list(benchmark)
    assert images.keys == ("texture/c.png", "tin/d.png", "texture/a b.png")
    assert images.labels.tolist() == [-1, 7, -1]
    assert (images.name, images.classes[7]) == ("test_texture", "7")
    assert images[1].image.shape == (3, 8, 8)


def test_sc_ood_lines_use_the_semantic_label(benchmark: Path) -> None:
    benchmark.write_text("texture/c.png {\"label\": 5, \"sc_label\": -1}\ntin/d.png {'sc_label': 3, 'label': -1}\n")
    images = image_list(benchmark, classes=("a", "b", "c", "d"))
    assert images.labels.tolist() == [-1, 3]
    assert images.counts == {"a": 0, "b": 0, "c": 0, "d": 1}


def test_a_dictionary_without_a_semantic_label_uses_the_plain_one(benchmark: Path) -> None:
    benchmark.write_text('tin/d.png {"label": 2}\n')
    assert image_list(benchmark).labels.tolist() == [2]


def test_the_folder_of_the_images_may_be_named(benchmark: Path, folder_of, tmp_path: Path) -> None:
    benchmark.write_text("x.png 0\n")
    with pytest.raises(DataError, match="were not found near it"):
        image_list(benchmark)
    assert len(image_list(benchmark, folder_of(tmp_path / "elsewhere", "x.png"))) == 1


@pytest.mark.parametrize(
    "line", ["texture/c.png", "texture/c.png cat", "texture/c.png {broken", 'texture/c.png {"a": 1}', "3"]
)
def test_a_line_that_cannot_be_read_is_named(line: str, benchmark: Path) -> None:
    benchmark.write_text(f"texture/c.png 1\n{line}\n")
    with pytest.raises(DataError, match="Line 2 of"):
        image_list(benchmark)


def test_code_in_a_list_is_not_run(benchmark: Path, tmp_path: Path) -> None:
    benchmark.write_text(f"texture/c.png {{'sc_label': open('{tmp_path}/owned', 'w')}}\n")
    with pytest.raises(DataError, match="Line 1 of"):
        image_list(benchmark)
    assert not (tmp_path / "owned").exists()


def test_missing_pictures_are_counted(benchmark: Path) -> None:
    benchmark.write_text("texture/c.png 1\ntexture/gone.png 1\ntexture/too.png 1\n")
    with pytest.raises(DataError, match=r"2 of 3 pictures .*gone\.png"):
        image_list(benchmark)


def test_a_missing_an_empty_and_a_binary_list_are_told(benchmark: Path) -> None:
    with pytest.raises(DataError, match="There is no image list"):
        image_list(benchmark)
    benchmark.write_text("\n\n")
    with pytest.raises(DataError, match="is empty"):
        image_list(benchmark)
    benchmark.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(DataError, match="is not a readable text"):
        image_list(benchmark)


def test_a_label_beyond_the_class_names_is_told(benchmark: Path) -> None:
    benchmark.write_text("tin/d.png 2\n")
    with pytest.raises(DataError, match="has label 2, but only 2 class names"):
        image_list(benchmark, classes=("a", "b"))
