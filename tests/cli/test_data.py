import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from oodcore.cli import ood

run = CliRunner()


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OOD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("OOD_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def photos(folder: Path, colours: dict[str, list[int]]) -> Path:
    for name, greys in colours.items():
        (folder / name).mkdir(parents=True)
        for index, grey in enumerate(greys):
            Image.new("RGB", (8, 8), (grey, grey, 0)).save(folder / name / f"{index}.png")
    return folder


def test_the_list_is_pure_json_and_knows_what_is_here() -> None:
    found = {each["name"]: each for each in json.loads(run.invoke(ood, ["data", "list", "--json"]).stdout)}
    assert found["shapes"]["present"] is True
    assert found["cifar10-jpeg"]["present"] is False
    assert found["cifar10-jpeg"]["coding"] == "jpeg75"


def test_the_list_can_be_narrowed_to_a_role() -> None:
    result = run.invoke(ood, ["data", "list", "--role", "near"])
    assert "shapes-near" in result.stdout
    assert "shapes-far" not in result.stdout
    assert run.invoke(ood, ["data", "list", "--role", "outer"]).exit_code == 2


def test_show_tells_licence_and_origin() -> None:
    result = run.invoke(ood, ["data", "show", "ood-gtsrb"])
    assert "present  no" in result.stdout
    assert "licence" in result.stdout


@pytest.mark.parametrize("verb", ["show", "check", "get"])
def test_an_unknown_set_is_one_sentence_with_a_proposal(verb: str) -> None:
    result = run.invoke(ood, ["data", verb, "shape"])
    assert result.exit_code == 2
    assert "Did you mean 'shapes'?" in result.stderr
    assert result.stdout.strip() == "" or verb == "check"


def test_a_set_without_a_download_says_where_it_is_from() -> None:
    result = run.invoke(ood, ["data", "get", "ood-gtsrb"])
    assert result.exit_code == 2
    assert "cannot be downloaded" in result.stderr


def test_check_counts_doubles_and_images_in_two_splits(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    photos(folder / "train", {"a": [1, 2, 2], "b": [3]})
    photos(folder / "test", {"a": [4], "b": [3, 5]})
    test, train = json.loads(run.invoke(ood, ["data", "check", str(folder), "--json"]).stdout)
    assert (test["split"], test["images"], test["doubles"], test["smallest_class"]) == ("test", 3, 0, 1)
    assert (train["images"], train["doubles"], train["also_in"]) == (4, 1, {"test": 1})


def test_check_goes_on_after_a_set_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    own = photos(tmp_path / "own", {"a": [1, 2]})
    result = run.invoke(ood, ["data", "check", str(tmp_path / "empty"), "cifar10", str(own)])
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 2
    assert "2" in result.stdout


def test_check_tells_every_broken_file_and_counts_the_rest(tmp_path: Path) -> None:
    own = photos(tmp_path / "own", {"a": [1, 2, 3], "b": [4]})
    for name in ("a/0.png", "b/0.png"):
        (own / name).write_bytes(b"no picture")
    result = run.invoke(ood, ["data", "check", str(own), "--json"])
    assert result.exit_code == 2
    first, second = result.stderr.splitlines()
    assert ("a/0.png" in first, "b/0.png" in second) == (True, True)
    (line,) = json.loads(result.stdout)
    assert (line["images"], len(line["broken"])) == (2, 2)


def test_a_root_that_is_no_folder_is_told() -> None:
    result = run.invoke(ood, ["data", "list", "--data", "/no/such"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "/no/such is no folder" in result.stderr
