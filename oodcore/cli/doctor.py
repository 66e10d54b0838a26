"""`ood doctor`: what is installed, which devices, image sets and checkpoints are here."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import typer

from oodcore.cli.guard import BAD_INPUT
from oodcore.cli.options import Data, Json, data_root, devices, examples
from oodcore.cli.screen import show, show_json
from oodcore.errors import OODError

EXAMPLES = examples("ood doctor", "ood doctor --data /sets --json")
CORE = ("torch", "torchvision", "numpy", "pillow", "safetensors", "scikit-learn", "scikit-image", "typer", "rich")
EXTRAS = {"app": ("streamlit", "plotly"), "timm": ("timm",)}
Report = dict[str, Any]


def doctor(data: Data = None, as_json: Json = False) -> None:
    """Say what this machine has: versions, devices, image sets, checkpoints, the pages.

    The exit code is 2 where something installed is broken; a missing image set or extra is no fault.
    """
    found = examined(data_root(data))
    if as_json:
        show_json(found)
    else:
        _print(found)
    if found["problems"]:
        raise typer.Exit(BAD_INPUT)


def examined(root: Path | None) -> Report:
    """Everything, as JSON values."""
    import torch

    from oodcore.data.catalogue import entries
    from oodcore.data.roots import cache_folder, roots

    checkpoints, problems = _checkpoints(root)
    return {
        "versions": versions(),
        "extras": {name: all(_version(part) for part in parts) for name, parts in EXTRAS.items()},
        "devices": devices(),
        "threads": torch.get_num_threads(),
        "roots": {str(folder.absolute()): folder.is_dir() for folder in roots(root)},
        "cache": str(cache_folder()),
        "sets": {known.name: known.present(root) for known in entries()},
        "checkpoints": checkpoints,
        "problems": [*_imports(), *problems],
    }


def versions() -> dict[str, str | None]:
    """Python and the packages that results depend on; None where one is not installed."""
    packages = ("ood-explorer", *CORE, *(part for parts in EXTRAS.values() for part in parts))
    return {"python": platform.python_version(), **{name: _version(name) for name in packages}}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _imports() -> list[str]:
    """Builds of torch and torchvision that do not belong together fail when imported side by side."""
    try:
        import torchvision  # noqa: F401
    except Exception as error:
        return [f"torchvision cannot be imported beside this torch ({error}). Install versions that belong together."]
    return []


def _checkpoints(root: Path | None) -> tuple[dict[str, bool], list[str]]:
    """Checkpoints that have a name here, and whether their files have the recorded hashes."""
    from oodcore.checkpoint import file_of, known
    from oodcore.checkpoint.layout import CARD, MODEL, PANEL, REFERENCE

    sound: dict[str, bool] = {}
    problems: list[str] = []
    for name, folder in known(root).items():
        try:
            for part in (CARD, MODEL, PANEL, REFERENCE):
                file_of(folder, part)
            sound[name] = True
        except OODError as error:
            sound[name] = False
            problems.append(str(error))
    return sound, problems


def _print(found: Report) -> None:
    for name, installed in found["versions"].items():
        show(f"{name:16}{installed or 'not installed'}")
    for name, installed in found["extras"].items():
        show(f"extra {name:10}{'installed' if installed else f'''pip install '.[{name}]', in the project's folder '''}")
    show(f"{'devices':16}{', '.join(found['devices'])}; {found['threads']} threads")
    for folder, there in found["roots"].items():
        show(f"{'image sets in':16}{folder}{'' if there else ' (not there)'}")
    here = [name for name, present in found["sets"].items() if present]
    show(f"{'sets here':16}{len(here)} of {len(found['sets'])}: {', '.join(here)}")
    show(f"{'cache':16}{found['cache']}")
    for name, sound in found["checkpoints"].items():
        show(f"{'checkpoint':16}{name}{'' if sound else ' (damaged)'}")
    for problem in found["problems"]:
        show(f"{'PROBLEM':16}{problem}")
    show("All is well." if not found["problems"] else f"{len(found['problems'])} problems.")
