"""Out-of-distribution detection in PyTorch: one forward pass, every score, a calibrated decision.

The names below are imported when first used, so that `import oodcore` and `ood --help` stay quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Panel", "__version__", "collect", "load"]

_HOMES = {"Panel": "oodcore.panel", "collect": "oodcore.models.collect", "load": "oodcore.checkpoint"}

if TYPE_CHECKING:
    from oodcore.checkpoint import load
    from oodcore.models.collect import collect
    from oodcore.panel import Panel


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'oodcore' has no attribute '{name}'")
