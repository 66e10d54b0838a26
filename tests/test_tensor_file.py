import errno
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from oodcore.tensor_file import write_tensors


def test_tensors_that_share_memory_are_written_and_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, both = tmp_path / "x.safetensors", torch.arange(6.0).view(2, 3)
    write_tensors(path, {"whole": both, "turned": both.mT}, {"kind": "test"})
    assert torch.equal(load_file(path)["turned"], both.mT)

    def full(*about: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OSError, match="No space left on device") as told:
        write_tensors(path, {"other": both})
    assert (told.value.errno, told.value.filename) == (errno.ENOSPC, str(path))
    assert set(load_file(path)) == {"whole", "turned"}
    assert list(tmp_path.iterdir()) == [path]
