"""The real server, as people start it, and a browser that looks at it."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

ROOT = Path(__file__).parents[2]
SHOTS = Path(__file__).with_name("shots")
READY = "[data-testid=stApp][data-test-script-state=notRunning]"
PROBES = re.compile(r"/[a-z-]+/_stcore/(health|host-config)$")  # opened at a page, Streamlit looks below it first
NOTICE = "[data-testid=stAlert]"
COMPLAINTS = re.compile(r"Please replace|will be removed|was removed|deprecat|Traceback|Error|WARNING", re.IGNORECASE)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_healthy(url: str, server: subprocess.Popen[bytes], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert server.poll() is None, "the server stopped"
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
                if answer.read() == b"ok":
                    return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server did not answer within {seconds} s")


@contextmanager
def serving(folder: Path, port: int) -> Iterator[str]:
    """The app, started from another folder than its own; its log is free of complaints at the end.

    Args:
        folder: Where it is started; its cache, with all runs, lies there.
        port: Where it answers.
    """
    log = folder / "log.txt"
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app" / "asgi.py")]
    command += [f"--server.port={port}", "--server.address=127.0.0.1"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OOD_CACHE": str(folder / "cache")}
    with log.open("wb") as written:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=written, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_healthy(url, server, 120)
        yield url
    finally:
        server.terminate()
        server.wait(20)
    complaints = [line for line in log.read_text().splitlines() if COMPLAINTS.search(line)]
    assert not complaints, complaints


@pytest.fixture(scope="session")
def server() -> Callable[[Path], AbstractContextManager[str]]:
    """Starts the app in a folder; started again in the same one, it answers at the same place."""
    ports: dict[Path, int] = {}
    return lambda folder: serving(folder, ports.setdefault(folder, free_port()))


@pytest.fixture(scope="session")
def app_url(
    server: Callable[[Path], AbstractContextManager[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The app that most tests share."""
    with server(tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


class Visit:
    """One visitor with a page of their own.

    Args:
        page: Theirs.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not PROBES.search(message.location["url"]):
            self.said.append(message.text)

    def open(self, path: str = "/", drawn: str = ".board .card") -> Page:
        """Go there and wait until what matters most there, a CSS selector, is drawn."""
        self.page.goto(path)
        self.page.wait_for_selector(f"{drawn}, {NOTICE}", timeout=60_000)
        if self.page.locator(drawn).count() == 0:
            pytest.fail(f"no '{drawn}', but: {self.page.locator(NOTICE).first.inner_text()}")
        return self.settled()

    def settled(self) -> Page:
        """After the script has run."""
        self.page.wait_for_timeout(250)  # a message to the server may still be on its way
        self.page.wait_for_selector(READY, timeout=60_000)
        return self.page

    def shot(self, name: str) -> None:
        """The whole page as a picture, kept for people to look at."""
        SHOTS.mkdir(exist_ok=True)
        size = self.page.viewport_size or {"width": 1280, "height": 900}
        height = self.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        self.page.set_viewport_size({"width": size["width"], "height": min(int(height) + 20, 8000)})
        self.page.wait_for_timeout(600)
        self.page.screenshot(path=SHOTS / f"{name}.png")
        self.page.set_viewport_size(size)


@pytest.fixture(scope="session")
def profiles(browser: Browser, app_url: str) -> Callable[[str], BrowserContext]:
    """One browser profile for light pages and one for dark ones, so that scripts are fetched and compiled once."""

    @cache
    def profile(scheme: Literal["light", "dark"]) -> BrowserContext:
        return browser.new_context(base_url=app_url, color_scheme=scheme)

    return profile


@pytest.fixture
def visit(profiles: Callable[[str], BrowserContext]) -> Iterator[Callable[..., Visit]]:
    """Opens visitors: `visit(width=390, scheme="dark")`. Their consoles are free of complaints at the end."""
    visits: list[Visit] = []

    def start(width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Visit:
        page = profiles(scheme).new_page()
        page.set_viewport_size({"width": width, "height": 900})
        visits.append(Visit(page))
        return visits[-1]

    yield start
    for one in visits:
        one.page.close()
    assert not [line for one in visits for line in one.said]
