"""Rare classes get their due: by training, or afterwards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import oodcore
from oodcore.checkpoint import Card, read_card, save
from oodcore.data import long_tail, open_set
from oodcore.metrics import tail_accuracy

Call = Callable[..., Any]

TAIL = "--id", "shapes", "--long-tail", 0.1


def counts() -> torch.Tensor:
    return torch.tensor(list(long_tail(open_set("shapes", "train"), 0.1).counts.values()))


def cells(line: str) -> list[str]:
    return line.split()[-4:]


def shown(logits: torch.Tensor) -> list[str]:
    test = open_set("shapes", "test")
    return ["-" if share is None else f"{100 * share:.2f}" for share in tail_accuracy(logits, test.labels, counts())]


def test_afterwards_the_logits_lose_tau_log_p(call: Call, shapes: Path) -> None:
    result = call("logit-adjust", shapes, *TAIL, "--post-hoc", "--tau", 40)
    head, before, after = result.stdout.splitlines()
    logits = oodcore.collect(oodcore.load(shapes), open_set("shapes", "test")).outputs.logits
    shares = counts() / counts().sum()
    assert head.split() == ["accuracy,", "%", "all", "classes", "many", "medium", "few"]
    assert cells(before) == shown(logits)
    assert cells(after) == shown(logits - 40 * shares.log())
    assert cells(before) != cells(after)
    assert not Path("runs").exists()


def test_training_moves_batch_norm_and_the_last_layer_alone(call: Call, shapes: Path) -> None:
    result = call("logit-adjust", shapes, *TAIL, "--steps", 3, "--lr", 0.05, "--set", "train.batch=16")
    assert result.exit_code == 0, result.output
    folder = Path("runs/start-logit-adjusted-0/checkpoint")
    before, after = oodcore.load(shapes), oodcore.load(folder)
    assert read_card(folder).recipe["loss"] == {"name": "logit_adjusted", "tau": 1.0}
    head = {"fc.weight", "fc.bias"}
    norms = {
        f"{name}.{part}"
        for name, module in before.named_modules()
        if isinstance(module, torch.nn.BatchNorm2d)
        for part, _ in module.named_parameters(recurse=False)
    }
    there = dict(after.named_parameters())
    moved = {name for name, value in before.named_parameters() if not torch.equal(value, there[name])}
    assert moved == head | norms
    lines = result.stdout.splitlines()
    logits = [oodcore.collect(model, open_set("shapes", "test")).outputs.logits for model in (before, after)]
    assert [cells(line) for line in lines[-2:]] == [shown(each) for each in logits]


def test_the_long_tail_is_taken_over_from_the_card(call: Call, shapes: Path, tmp_path: Path) -> None:
    model = oodcore.load(shapes)
    about = {"data": {"inliers": "shapes", "long_tail": 0.1}}
    tailed = save(tmp_path / "tailed", model, Card.of(model, recipe=about))
    named = call("logit-adjust", shapes, *TAIL, "--post-hoc").stdout
    assert call("logit-adjust", tailed, "--id", "shapes", "--post-hoc").stdout == named


def test_a_balanced_set_has_nothing_to_adjust(call: Call, shapes: Path) -> None:
    result = call("logit-adjust", shapes, "--id", "shapes", "--post-hoc")
    _, before, after = result.stdout.splitlines()
    assert cells(before) == cells(after)
    assert "nothing to adjust" in result.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--id", "shapes", "--tau", -1), "tau must be 0 or more"),
        (("--id", "shapes", "--long-tail", 0), "must lie in (0, 1]"),
        (("--id", "shapes", "--long-tail", 0.001, "--post-hoc"), "left with no image"),
        (
            (
                "--id",
                "shapse",
            ),
            "Did you mean 'shapes'",
        ),
    ],
)
def test_bad_input_is_a_sentence(call: Call, shapes: Path, words: tuple[Any, ...], sentence: str) -> None:
    result = call("logit-adjust", shapes, *words)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert sentence in result.stderr
