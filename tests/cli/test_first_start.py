"""The pages start for somebody who has never started them, with nobody at the terminal."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer(url: str, server: subprocess.Popen[bytes], seconds: float) -> bytes:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert server.poll() is None, "the server stopped"
        try:
            with urllib.request.urlopen(url, timeout=2) as reply:
                return bytes(reply.read())
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"no answer within {seconds} s")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="HOME and /dev/null")
def test_a_first_start_asks_nothing(tmp_path: Path) -> None:
    port = free_port()
    environment = {**os.environ, "HOME": str(tmp_path), "BROWSER": "true", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", "from oodcore.cli import main; main()", "app", f"--port={port}"]
    with (tmp_path / "log.txt").open("wb") as log:
        server = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path
        )
    try:
        assert answer(f"http://127.0.0.1:{port}/_stcore/health", server, 120) == b"ok"
    finally:
        server.terminate()
        server.wait(20)
    said = (tmp_path / "log.txt").read_text()
    assert "Email" not in said
    assert "usage statistics" not in said
