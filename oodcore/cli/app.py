"""`ood app`: the pages in a browser."""

import errno
import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from oodcore.cli.options import Data, data_root, examples
from oodcore.errors import OODError

INSTALL = "In the project's folder: pip install '.[app]'"
EXAMPLES = examples(
    "ood app",
    "ood app --port 9000 --address 0.0.0.0 --no-browser   # for a class on one server",
)


def app(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of the server.")] = 8501,
    address: Annotated[str, typer.Option("--address", help="Where to listen; 0.0.0.0 lets others in.")] = "127.0.0.1",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser window.")] = True,
    data: Data = None,
) -> None:
    """Open the pages: drop in a photo, read its scores and a decision."""
    root = data_root(data)
    script = _script()
    _require_free(address, port)
    command = [sys.executable, "-m", "streamlit", "run", str(script), *_settings(port, address, browser)]
    environment = {**os.environ, **({"OOD_DATA": str(root)} if root else {}), "PYTHONPATH": _path_with(script)}
    _become(command, environment)


def _script() -> Path:
    """The launch target of the pages, found without importing them."""
    for needed in ("streamlit", "plotly"):
        if find_spec(needed) is None:
            raise OODError(f"The pages need {needed}, which is not installed. {INSTALL}")
    spec = find_spec("app")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        if (script := Path(folder) / "asgi.py").is_file():
            return script
    raise OODError(f"The pages are not installed. {INSTALL}")


def _require_free(address: str, port: int) -> None:
    """Whatever else is wrong with the address the server tells itself."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.create_server((address, port), family=family).close()
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            raise OODError(
                f"Port {port} is in use, perhaps by pages that are open. Try `ood app --port {port % 65535 + 1}`."
            ) from None


def _settings(port: int, address: str, browser: bool) -> list[str]:
    return [
        f"--server.port={port}",
        f"--server.address={address}",
        f"--server.headless={'false' if browser else 'true'}",
        "--server.showEmailPrompt=false",  # a first start would wait for an address at the terminal
    ]


def _path_with(script: Path) -> str:
    """The folder above `app` first: a script run by path finds its own package only there."""
    return os.pathsep.join(filter(None, [str(script.parents[1]), os.environ.get("PYTHONPATH", "")]))


def _become(command: list[str], environment: dict[str, str]) -> None:
    """Replace this process, so that Ctrl-C and a supervisor's signals reach the server itself."""
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(command[0], command, environment)  # noqa: S606  our own words, no shell
    raise typer.Exit(subprocess.call(command, env=environment))  # noqa: S603
