"""`ood doctor`: what is installed, which devices, image sets and checkpoints are here."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from oodcore.cli.options import Data, Json, data_root, devices, examples
from oodcore.cli.screen import show, show_json

EXAMPLES = examples("ood doctor", "ood doctor --data /sets --json")
CORE = ("torch", "torchvision", "numpy", "pillow", "safetensors", "scikit-learn", "scikit-image", "typer", "rich")
EXTRAS = {"app": ("streamlit", "plotly"), "timm": ("timm",)}


def doctor(data: Data = None, as_json: Json = False) -> None:
    """Say what this machine has: versions, devices, image sets, checkpoints, the pages."""
    found = {
        "versions": versions(),
        "extras": {name: all(_version(part) for part in parts) for name, parts in EXTRAS.items()},
        "devices": devices(),
    }
    show_json(found)


def versions() -> dict[str, str | None]:
    """Python and the packages that results depend on; None where one is not installed."""
    packages = ("ood-explorer", *CORE, *(part for parts in EXTRAS.values() for part in parts))
    return {"python": platform.python_version(), **{name: _version(name) for name in packages}}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
