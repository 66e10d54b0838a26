"""Train, stop, go on, cancel; which recipes there are; and what is refused."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

import oodcore
from oodcore.checkpoint import read_card
from oodcore.cli import training, watching
from oodcore.config import read_experiment, recipes
from oodcore.jobs import Event, RunFolder

Call = Callable[..., Any]

MINE = """
title = "Mine"
[model]
architecture = "resnet-20-w4"
[data]
inliers = "shapes"
[train]
steps = 4
batch = 8
lr = 0.05
[validation]
every = 2
"""


@pytest.fixture
def mine(shapes: Path) -> Path:
    path = shapes.parent / "mine.toml"
    path.write_text(MINE, "utf-8")
    return path


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A background shell lets children ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def refused(result: Any, words: str) -> None:
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert "should not have" not in result.stderr


def weights(folder: Path | str) -> torch.Tensor:
    return torch.cat([value.flatten().double() for value in oodcore.load(folder).state_dict().values()])


def test_a_file_is_trained_in_a_folder_named_after_it(call: Call, mine: Path) -> None:
    result = call("train", mine, "--seed", 3)
    assert result.exit_code == 0, result.output
    first, last = result.stdout.splitlines()
    assert first == "checkpoint: runs/mine-3/checkpoint"
    assert last.startswith("last validation: accuracy ")
    assert read_card("runs/mine-3/checkpoint").seed == 3
    status = RunFolder(Path("runs/mine-3")).status
    assert status is not None
    assert (status.state, status.step) == ("finished", 4)
    assert "Next: ood fit runs/mine-3/checkpoint --id shapes" in result.stderr


def test_a_log_gets_one_line_for_each_validation(call: Call, mine: Path) -> None:
    lines = [line for line in call("train", mine).stderr.splitlines() if line.startswith("Step ")]
    assert [line.partition(":")[0] for line in lines] == ["Step 2 of 4", "Step 4 of 4"]
    assert all("images/s" in line and "accuracy" in line and "left" in line for line in lines)


def test_a_finished_run_is_not_done_again(call: Call, mine: Path) -> None:
    first = call("train", mine, "--out", "here")
    written = (Path("here") / "checkpoint" / "card.json").stat().st_mtime_ns
    again = call("train", mine, "--out", "here")
    assert again.exit_code == 0
    assert again.stdout == first.stdout
    assert "has finished before" in again.stderr
    assert (Path("here") / "checkpoint" / "card.json").stat().st_mtime_ns == written


def test_a_recipe_by_name_with_other_values(call: Call, shapes: Path) -> None:
    words = (
        "--set",
        "train.steps=2",
        "--set",
        "train.batch=8",
        "--set",
        "title=Short",
        "--threads",
        1,
        "--device",
        "cpu",
    )
    result = call("train", "shapes-resnet20w4", *words)
    assert result.exit_code == 0, result.output
    card = read_card("runs/shapes-resnet20w4-0/checkpoint")
    assert (card.title, card.recipe["train"]["steps"], card.recipe["train"]["lr"]) == ("Short", 2, 0.1)


@contextmanager
def pressing() -> Iterator[Callable[[Event, int], None]]:
    """Ctrl-C while the second step is shown."""

    def see(event: Event, steps: int) -> None:
        if event.kind == "step" and event.step == 2:
            signal.raise_signal(signal.SIGINT)

    yield see


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_keeps_everything_and_the_same_command_goes_on(
    call: Call, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = call("train", mine, "--out", "whole")
    with monkeypatch.context() as patch:
        patch.setattr(training, "watching", pressing)
        stopped = call("train", mine, "--out", "halved")
    assert (stopped.exit_code, stopped.stdout) == (130, "")
    assert "Stopped at step 2 of 4. The same command goes on from there" in stopped.stderr
    assert not (Path("halved") / "checkpoint").exists()
    assert not RunFolder(Path("halved")).live
    resumed = call("train", mine, "--out", "halved")
    assert resumed.exit_code == 0, resumed.output
    assert resumed.stdout.splitlines()[-1] == whole.stdout.splitlines()[-1]
    assert torch.equal(weights("halved/checkpoint"), weights("whole/checkpoint"))


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_before_the_first_step(call: Call, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: Any, **__: Any) -> Any:
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["oodcore.jobs.run"], "prepare", pressed)
        stopped = call("train", mine, "--out", "here")
    assert stopped.exit_code == 130
    assert "Stopped before the first step" in stopped.stderr
    assert call("train", mine, "--out", "here").exit_code == 0


def test_a_run_is_cancelled_from_elsewhere(call: Call, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []

    @contextmanager
    def watched() -> Iterator[Callable[[Event, int], None]]:
        yield lambda event, steps: said.append(call("cancel", "here")) if event.step == 1 else None

    monkeypatch.setattr(training, "watching", watched)
    result = call("train", mine, "--out", "here")
    assert "stops after its present step" in said[0].stdout
    assert result.exit_code == 130
    status = RunFolder(Path("here")).status
    assert status is not None
    assert status.state == "cancelled"


def test_only_a_run_that_goes_on_is_cancelled(call: Call, mine: Path) -> None:
    refused(call("cancel", "nowhere"), "there never was one")
    assert not Path("nowhere").exists()
    call("train", mine, "--out", "here")
    refused(call("cancel", "here"), "the last one was finished at step 4")
    assert not (Path("here") / "cancel").exists()


def test_a_folder_in_use_is_refused(call: Call, mine: Path) -> None:
    with RunFolder(Path("here")).held():
        refused(call("train", mine, "--out", "here"), "Another run is going on in 'here'")


def test_the_folder_of_another_run_is_refused_and_left_alone(call: Call, mine: Path) -> None:
    call("train", mine, "--out", "here")
    before = weights("here/checkpoint")
    refused(call("train", mine, "--out", "here", "--set", "train.lr=0.06"), "'here' holds another run ('Mine'")
    assert torch.equal(weights("here/checkpoint"), before)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("shapes-resnet20w",), "No recipe is called 'shapes-resnet20w'. Did you mean 'shapes-resnet20w4'"),
        (("gone.toml",), "There is no file 'gone.toml'"),
        (("mine.toml", "--set", "data.inliers=shapse"), "No image set is called 'shapse'. Did you mean 'shapes'"),
        (("mine.toml", "--set", "train.lrr=1"), "No key of [train] is called 'lrr'. Did you mean 'lr'"),
        (("mine.toml", "--set", "train.lr"), "table.key=value"),
        (("mine.toml", "--set", "train.batch=1000"), "batch"),
        (("mine.toml", "--set", "data.inliers=random-300k"), "is not here"),
        (("mine.toml", "--device", "cuda:77"), "--device cuda:77 cannot be used here"),
        (("mine.toml", "--data", "gone"), "--data gone is no folder"),
        (("cifar10-resnet20-energy", "--data", "."), "is not here"),
    ],
)
def test_bad_input_is_a_sentence_and_leaves_no_checkpoint(
    call: Call, mine: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], sentence: str
) -> None:
    assert mine.is_file()
    monkeypatch.setenv("OOD_DATA", str(mine.parent))
    refused(call("train", *words, "--out", "here"), sentence)
    assert not (Path("here") / "checkpoint").exists()


def test_recipes_are_listed_with_title_and_source(call: Call) -> None:
    lines = call("recipes").stdout.splitlines()
    assert {line.split()[0] for line in lines[1:] if line.split()} >= set(recipes())
    found = json.loads(call("recipes", "--json").stdout)
    assert [each["name"] for each in found] == recipes()
    assert all(each["title"] and each["source"] for each in found)


def test_a_recipe_is_printed_as_a_file_to_change(call: Call, tmp_path: Path) -> None:
    (tmp_path / "copy.toml").write_text(call("recipes", "cifar100-wrn-40-2-semantic-energy").stdout, "utf-8")
    assert read_experiment(tmp_path / "copy.toml") == read_experiment("cifar100-wrn-40-2-semantic-energy")
    refused(call("recipes", "cifar"), "No recipe is called 'cifar'")


def test_a_terminal_gets_a_bar_with_losses_and_validations(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(Console):
        def __init__(self, **options: Any) -> None:
            super().__init__(force_terminal=True, width=160, record=True, **options)
            consoles.append(self)

    consoles: list[Console] = []
    monkeypatch.setattr(watching, "Console", Terminal)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    step = {"terms": {"cross_entropy": 1.25}, "images_per_second": 1234.0, "seconds_left": 200.0}
    with watching.watching() as see:
        see(Event("step", 1, step), 9)
        see(Event("validation", 1, {"accuracy": 0.5, "auroc": 0.75}), 9)
    shown = consoles[0].export_text()
    assert "Step 1: accuracy 50.00%, AUROC 75.00%" in shown
    assert "cross_entropy 1.250; 1,234 images/s, 3 min left" in shown


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5369, "89 min"), (5400, "1 h 30 min")]
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert watching.duration(seconds) == words
