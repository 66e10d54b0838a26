import gzip
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from oodcore.data.download import Download, fetch
from oodcore.errors import DataError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address that serves it."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def packed(**files: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


def test_a_file_arrives_whole_with_progress(served, tmp_path: Path) -> None:
    folder, address = served
    content = bytes(range(256)) * 4000
    (folder / "a.mat").write_bytes(content)
    told: list[tuple[int, int]] = []
    fetch(Download(f"{address}/a.mat", "deep/a.mat", md5(content)), tmp_path / "root", lambda *done: told.append(done))
    assert (tmp_path / "root/deep/a.mat").read_bytes() == content
    assert told[-1] == (len(content), len(content))
    assert len(told) > 1


def test_archives_are_unpacked_beside_themselves(served, tmp_path: Path) -> None:
    folder, address = served
    content = packed(set__one=b"1", set__two=b"2")
    (folder / "set.tar.gz").write_bytes(content)
    (tmp_path / "set").mkdir()
    (tmp_path / "set/left_over").touch()
    fetch(Download(f"{address}/set.tar.gz", "set.tar.gz", md5(content)), tmp_path)
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["one", "two"]
    assert not list(tmp_path.glob(".get-*"))


def test_single_compressed_files_are_unpacked_too(served, tmp_path: Path) -> None:
    folder, address = served
    content = gzip.compress(b"idx")
    (folder / "images.gz").write_bytes(content)
    fetch(Download(f"{address}/images.gz", "raw/images.gz", md5(content)), tmp_path)
    assert (tmp_path / "raw/images").read_bytes() == b"idx"


def test_a_file_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(b"here")
    fetch(Download("http://127.0.0.1:9/a.mat", "a.mat", md5(b"here")), tmp_path)


def test_other_content_than_expected_is_refused_and_removed(served, tmp_path: Path) -> None:
    folder, address = served
    (folder / "a.mat").write_bytes(b"<html>sorry</html>")
    with pytest.raises(DataError, match="other content than expected"):
        fetch(Download(f"{address}/a.mat", "a.mat", md5(b"data")), tmp_path / "root")
    assert list((tmp_path / "root").iterdir()) == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/a", "http://nowhere.invalid/a"])
def test_without_a_network_one_sentence_says_so(address: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be reached .* where there is a network"):
        fetch(Download(address, "a", "0"), tmp_path)


def test_a_missing_page_is_told(served, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be reached"):
        fetch(Download(f"{served[1]}/gone", "gone", "0"), tmp_path)


def test_an_archive_cannot_write_outside_its_folder(served, tmp_path: Path) -> None:
    folder, address = served
    content = packed(**{"..__escaped": b"x"})
    (folder / "evil.tar.gz").write_bytes(content)
    with pytest.raises(DataError, match="cannot be written or unpacked"):
        fetch(Download(f"{address}/evil.tar.gz", "root/evil.tar.gz", md5(content)), tmp_path)
    assert not list(tmp_path.rglob("escaped"))
