"""Thirty visitors on one server: how long until the page stands, and how long an answer takes, with real websockets.

Each visitor opens the Score page and then lets go of the dial every two seconds or so, at another setting. The clients
speak Streamlit's own protocol without a browser: what a browser draws costs the visitor's machine, not the server.

    python -m benchmarks visitors                  a minute of it
    VISITORS=30 SECONDS=600 python -m benchmarks visitors
    TRAINING=1 python -m benchmarks visitors       the same while a fine-tuning runs on the server's machine
    PACE=1 python -m benchmarks visitors           a movement every second
"""

import asyncio
import json
import os
import random
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.clock import machine, table

VISITORS, SECONDS = int(os.environ.get("VISITORS", "30")), float(os.environ.get("SECONDS", "60"))
TRAINING = bool(os.environ.get("TRAINING"))
PACE = float(os.environ.get("PACE", "2"))  # mean of the seconds between two movements of one visitor
WARM = 60.0  # seconds after which memory is looked at first
ROOT = Path(__file__).parents[1]


@dataclass
class Visitor:
    """One session.

    Args:
        url: Of the server's websocket.
        opened: Seconds until the page stood, once it does.
        answers: Seconds that each movement took.
    """

    url: str
    opened: float = 0.0
    answers: list[float] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    page: str = ""
    board: tuple[str, str] = ("", "")  # id, and the fragment in which it stands

    async def visit(self, start: float, end: float) -> None:
        """Come at `start`, stay until `end`; both on the monotonic clock."""
        await asyncio.sleep(max(0.0, start - time.monotonic()))
        async with connect(self.url, subprotocols=["streamlit"], max_size=None) as line:  # type: ignore[list-item]
            self.opened = await self.ask(line, None)
            while time.monotonic() + PACE < end:
                await asyncio.sleep(random.uniform(0.5, 1.5) * PACE)  # noqa: S311
                self.answers.append(await self.ask(line, random.choice(range(60, 100)) / 100))  # noqa: S311

    async def ask(self, line: ClientConnection, keep: float | None) -> float:
        """Open the page, or let go of the dial at `keep`; seconds until the script has run."""
        message = BackMsg()
        message.rerun_script.page_script_hash = self.page
        message.rerun_script.cached_message_hashes.extend(self.known)
        if keep is not None:
            message.rerun_script.fragment_id = self.board[1]
            state = message.rerun_script.widget_states.widgets.add()
            state.id, state.json_value = self.board[0], json.dumps({"acceptance": keep})
        start = time.monotonic()
        await line.send(message.SerializeToString())
        while True:
            answer = ForwardMsg.FromString(await line.recv(decode=False))
            self.note(answer)
            if answer.WhichOneof("type") == "script_finished":
                return time.monotonic() - start

    def note(self, answer: ForwardMsg) -> None:
        """Remember what a browser would."""
        if answer.hash and answer.metadata.cacheable:
            self.known.add(answer.hash)
        kind = answer.WhichOneof("type")
        if kind == "new_session":
            self.page = answer.new_session.page_script_hash
        if kind == "delta" and answer.delta.new_element.bidi_component.component_name.endswith("board"):
            self.board = answer.delta.new_element.bidi_component.id, answer.delta.fragment_id


async def crowd(url: str, process: psutil.Process) -> tuple[list[Visitor], float, float, list[int]]:
    """All of them, opening within two seconds.

    Also how long they stayed, the clients' CPU seconds, and the server's memory in bytes every minute.
    """
    start = time.monotonic() + 0.5
    visitors = [Visitor(url) for _ in range(VISITORS)]
    before, memory = resource.getrusage(resource.RUSAGE_SELF), []

    async def watch() -> None:
        while True:
            await asyncio.sleep(min(WARM, SECONDS / 2))
            memory.append(process.memory_info().rss)

    watching = asyncio.create_task(watch())
    await asyncio.gather(
        *(one.visit(start + 2 * index / VISITORS, start + SECONDS) for index, one in enumerate(visitors))
    )
    watching.cancel()
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return visitors, time.monotonic() - start, spent, memory


@contextmanager
def server() -> Iterator[tuple[int, psutil.Process]]:
    """The app as people start it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app" / "asgi.py"), f"--server.port={port}"]
    process = psutil.Popen(
        [*command, "--server.address=127.0.0.1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not healthy(port):
            time.sleep(0.2)
        yield port, process
    finally:
        process.terminate()
        process.wait(20)


def healthy(port: int) -> bool:
    """Whether it answers."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as answer:
            return bool(answer.read() == b"ok")
    except OSError:
        return False


@contextmanager
def training() -> Iterator[None]:
    """A fine-tuning of the drawn set beside it, as the job runner starts it: one thread, low priority."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).with_name("ood")), "finetune", "shapes-resnet20w4", "--loss", "energy"]
        command += ["--id", "shapes", "--outliers", "shapes-aux", "--steps", "100000", "--out", f"{folder}/run"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            ["nice", "-n", "10", *command],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            time.sleep(15)  # its images are drawn and its first steps taken
            if process.poll() is not None:
                raise SystemExit("The fine-tuning beside it did not start.")
            yield
        finally:
            process.kill()
            process.wait()


def at(values: list[float], share: float) -> str:
    """A percentile in milliseconds."""
    return f"{1000 * sorted(values)[min(len(values) - 1, int(share * len(values)))]:.0f} ms"


def main() -> None:
    """Measure and print."""
    with ExitStack() as stack:
        port, process = stack.enter_context(server())
        if TRAINING:
            stack.enter_context(training())
        worked = process.cpu_times()
        visitors, lasted, spent, memory = asyncio.run(crowd(f"ws://127.0.0.1:{port}/_stcore/stream", process))
        now = process.cpu_times()
        server_cpu = now.user + now.system - worked.user - worked.system
    opened, answers = [one.opened for one in visitors], [took for one in visitors for took in one.answers]
    print(machine() + (", a fine-tuning beside it" if TRAINING else ""))
    table(
        (
            "visitors",
            "a movement every",
            "seconds",
            "page stands, median / longest",
            "answers",
            "median",
            "95 %",
            "longest",
        ),
        [
            (
                str(VISITORS),
                f"{PACE:g} s",
                f"{lasted:.0f}",
                f"{at(opened, 0.5)} / {at(opened, 1)}",
                str(len(answers)),
                at(answers, 0.5),
                at(answers, 0.95),
                at(answers, 1),
            )
        ],
    )
    print(
        f"\nServer {100 * server_cpu / lasted:.0f} % of a core, the clients {100 * spent / lasted:.0f} %; "
        f"the server's memory, MiB, every {min(WARM, SECONDS / 2):.0f} s: "
        + ", ".join(f"{each / 2**20:.0f}" for each in memory)
    )
