import errno
import os
import stat
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from oodcore.atomic import replacing, write_tensors


def test_what_was_there_stays_until_the_body_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "file.txt"
    with replacing(path) as part:
        part.write_text("first")
        assert not path.exists()
    with replacing(path) as part:
        part.write_text("second")
        assert path.read_text() == "first"
    assert path.read_text() == "second"


def test_a_body_that_raises_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def stopped() -> None:
        with replacing(path) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_a_writer_that_closes_the_file_to_others_does_not_close_the_result(tmp_path: Path) -> None:
    plain, path = tmp_path / "plain", tmp_path / "file"
    plain.touch()
    with replacing(path) as part:
        part.unlink()
        os.close(os.open(part, os.O_CREAT | os.O_WRONLY, 0o600))
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


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
