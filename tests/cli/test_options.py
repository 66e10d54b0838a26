from pathlib import Path

import pytest
import torch

from oodcore.cli import options
from oodcore.errors import OODError


def test_names_may_be_repeated_or_joined_by_commas() -> None:
    assert options.names(["energy, knn", "msp,energy", ""]) == ["energy", "knn", "msp"]
    assert options.names(None) == []


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, 95.0, float("nan")])
def test_a_share_outside_0_and_1_is_refused(share: float) -> None:
    with pytest.raises(OODError, match="between 0 and 1"):
        options.checked_share(share)


def test_percent_gets_a_hint() -> None:
    with pytest.raises(OODError, match=r"Did you mean 0\.95"):
        options.checked_share(95)


def test_an_unknown_device_is_a_sentence_with_what_there_is() -> None:
    with pytest.raises(OODError, match=r"--device cuda:99 cannot be used here\. Available: cpu"):
        options.prepare("cuda:99", None)
    with pytest.raises(OODError, match="--device gpu"):
        options.prepare("gpu", None)


def test_auto_finds_a_device_that_works() -> None:
    assert torch.ones(2, device=options.prepare("auto", None)).sum() == 2


def test_data_must_be_a_folder(tmp_path: Path) -> None:
    assert options.data_root(tmp_path) == tmp_path
    with pytest.raises(OODError, match="is no folder"):
        options.data_root(tmp_path / "missing")
