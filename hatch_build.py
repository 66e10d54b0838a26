"""The wheel carries the shipped checkpoints; an editable install reads them where they lie."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = {"checkpoints": "oodcore/_shipped"}


class ShipData(BuildHookInterface):  # type: ignore[type-arg]
    """Adds `SHIPPED` to standard wheels only."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"] |= {str(Path(self.root) / here): there for here, there in SHIPPED.items()}
