"""What every test may ask for: the real image sets, a browser, and quiet, repeatable numbers."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
REQUIRE = bool(os.environ.get("OOD_REQUIRE_DATA"))  # set by .ci/run: what is missing is then a failure, not a skip


def missing(what: str) -> None:
    """Skip with the reason; fail where the machine is known to have it."""
    if REQUIRE:
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real image sets."""
    root = Path(os.environ.get("OOD_DATA", SHARED))
    if not (root / "MANIFEST.md").exists():
        missing(f"no real image sets at {root}")
    return root


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser."""
    found = shutil.which("chromium")
    if found is None:
        missing("no chromium on this machine (Debian: apt-get install chromium)")
    return str(found)


@pytest.fixture(autouse=True)
def _repeatable() -> None:
    torch.manual_seed(0)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """One worker has all pages: one server, one browser. (xdist's own groups are lost on pytest 9.2.)"""

    class PagesTogether(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "browser" if nodeid.startswith("tests/browser/") else nodeid

    return PagesTogether(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The gpu tier is skipped, never failed, without CUDA."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))
