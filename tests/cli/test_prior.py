"""The class prior of auxiliary outliers, side by side with what it is compared with."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import oodcore
from oodcore.data import open_set

Call = Callable[..., Any]


def test_counts_prior_tempered_prior_and_softmax_average(call: Call, shapes: Path) -> None:
    found = json.loads(call("prior", shapes, "--outliers", "shapes-aux", "--gamma", 0.5, "--gamma", 2, "--json").stdout)
    logits = oodcore.collect(oodcore.load(shapes), open_set("shapes-aux", "train")).outputs.logits.double().numpy()
    counts = np.bincount(logits.argmax(axis=1), minlength=10)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert found["counts"] == counts.tolist()
    assert found["images"] == 100
    assert found["prior"] == pytest.approx(counts / 100)
    assert found["softmax_average"] == pytest.approx(softmax.mean(axis=0), abs=1e-7)
    for gamma in (0.5, 2):
        expected = np.where(counts > 0, counts.astype(float) ** gamma, 0.0)
        assert found["tempered"][f"{gamma:g}"] == pytest.approx(expected / expected.sum())
    assert found["classes"] == list(oodcore.load(shapes).classes)


def test_the_table_has_a_row_for_each_class_and_empty_ones_are_told(call: Call, shapes: Path) -> None:
    result = call("prior", shapes, "--outliers", "shapes-aux")
    lines = result.stdout.splitlines()
    assert "gamma 0.75" in lines[0]
    assert len(lines) == 11
    assert "OOD008" in result.stderr


def test_the_uniform_prior_gives_empty_classes_full_weight_and_tells_it(call: Call, shapes: Path) -> None:
    result = call("prior", shapes, "--outliers", "shapes-aux", "--gamma", 0, "--json")
    found = json.loads(result.stdout)
    assert found["tempered"]["0"] == pytest.approx([0.1] * 10)
    assert 0 in found["counts"]
    (finding,) = found["findings"]
    assert "which weigh as much as all others at gamma = 0" in finding


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("start", "--outliers", "shapes-aux", "--gamma", -1), "gamma must be 0 or more"),
        (("start", "--outliers", "shapes-ux"), "No image set is called"),
        (("strat", "--outliers", "shapes-aux"), "strat"),
    ],
)
def test_bad_input_is_a_sentence(call: Call, shapes: Path, words: tuple[str, ...], sentence: str) -> None:
    result = call("prior", *words)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert sentence in result.stderr
    assert shapes.is_dir()
