import os
import stat
from pathlib import Path

import pytest

from oodcore.atomic import replacing


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
