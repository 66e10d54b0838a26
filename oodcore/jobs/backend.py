"""Where jobs compute: processes of this machine; a cluster's scheduler would be another class of the same shape."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from typing_extensions import Protocol, runtime_checkable

from oodcore.jobs.process import born

__all__ = ["Backend", "LocalProcesses"]

LOG = "log.txt"
ELSEWHERE = 60.0  # seconds until a process on another machine holds the lock of its folder, if it lives
COMMAND = (sys.executable, "-m", "oodcore.jobs.worker")
PACKAGE = Path(__file__).parents[2]


@runtime_checkable
class Backend(Protocol):
    """Starts `oodcore.jobs.worker` on a job's folder, wherever that is reachable."""

    def start(self, folder: Path) -> Mapping[str, Any]:
        """Begin, and return at once.

        Returns:
            What `alive` and `stop` need to find it again, in any process of any server: plain values. They get it
            back together with `at`, when it was started.

        Raises:
            OSError: it cannot be started.
        """
        ...

    def alive(self, handle: Mapping[str, Any]) -> bool:
        """Whether it is still there."""
        ...

    def stop(self, handle: Mapping[str, Any]) -> None:
        """End it at once, with everything that it started."""
        ...


class LocalProcesses:
    """A process per job, in a session of its own: it outlives the server that started it.

    Importing the libraries takes seconds, so one process may wait with them already imported. It ends with the server.

    Args:
        spare: Whether one is kept waiting.
        threads: Of each job.
        command: What is given the folder, or `--wait`.
    """

    def __init__(self, *, spare: bool = False, threads: int = 1, command: Sequence[str] = COMMAND) -> None:
        self._keeps_spare, self._threads, self._command = spare, threads, command
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._spare: subprocess.Popen[bytes] | None = None

    def start(self, folder: Path) -> Mapping[str, Any]:
        spare, self._spare = self._spare, None
        child = spare if spare is not None and _told(spare, folder) else self._launch(folder)
        self._children[child.pid] = child
        return {"pid": child.pid, "born": born(child.pid), "host": socket.gethostname()}

    def alive(self, handle: Mapping[str, Any]) -> bool:
        """Of a process on another machine nothing is known here, except that it was started just now."""
        pid = handle.get("pid")
        if not isinstance(pid, int):
            return False
        if handle.get("host") != socket.gethostname():
            return abs(time.time() - float(handle.get("at", 0.0))) < ELSEWHERE
        if (child := self._children.get(pid)) is not None and child.poll() is not None:
            del self._children[pid]  # its exit code was read, so the system forgets it
        return handle.get("born") is not None and born(pid) == handle["born"]

    def stop(self, handle: Mapping[str, Any]) -> None:
        if handle.get("host") == socket.gethostname() and self.alive(handle):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(int(handle["pid"]), signal.SIGKILL)

    def tend(self) -> None:
        """Read the exit codes of what has ended; see to it that one process is waiting."""
        for pid, child in list(self._children.items()):
            if child.poll() is not None:
                del self._children[pid]
        if self._spare is not None and self._spare.poll() is not None:
            _let_go(self._spare)
            self._spare = None
        if self._keeps_spare and self._spare is None:
            self._spare = self._launch(None)

    def close(self) -> None:
        """Let the waiting process go. Jobs go on."""
        self._keeps_spare = False
        if self._spare is not None:
            _let_go(self._spare)
            self._spare = None

    def _launch(self, folder: Path | None) -> "subprocess.Popen[bytes]":
        where = "--wait" if folder is None else str(folder)
        threads = str(self._threads)
        environment = os.environ | {
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(PACKAGE), os.environ.get("PYTHONPATH")])),
        }
        with open(os.devnull if folder is None else folder / LOG, "ab") as log:  # noqa: PTH123  devnull is no folder's
            return subprocess.Popen(  # noqa: S603  our own interpreter and module
                [*self._command, where],
                env=environment,
                stdin=subprocess.PIPE if folder is None else subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _told(spare: "subprocess.Popen[bytes]", folder: Path) -> bool:
    """Give a waiting process its folder; False where it is gone."""
    if spare.stdin is None or spare.poll() is not None:
        return False
    try:
        with spare.stdin:
            spare.stdin.write(json.dumps(str(folder)).encode() + b"\n")
    except OSError:
        return False
    return True


def _let_go(child: "subprocess.Popen[bytes]") -> None:
    with child, suppress(OSError):  # closes its pipe, and waits for its end
        child.kill()
