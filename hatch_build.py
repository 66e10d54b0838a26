"""The wheel carries the shipped checkpoints and results; an editable install reads them where they lie."""

import json
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED, THERE = "checkpoints", "oodcore/_shipped"
RESULTS, THERE_TOO = "docs/results", "oodcore/_results"


class ShipData(BuildHookInterface):  # type: ignore[type-arg]
    """Adds what `checkpoints/MANIFEST.json` lists, and the tables of results, to standard wheels only."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "standard":
            return
        here = Path(self.root) / SHIPPED
        listed = json.loads((here / "MANIFEST.json").read_text("utf-8"))
        for name in ("MANIFEST.json", *listed):
            build_data["force_include"][str(here / name)] = f"{THERE}/{name}"
        results = Path(self.root) / RESULTS
        for path in results.glob("*/[!.]*.parquet"):
            build_data["force_include"][str(path)] = f"{THERE_TOO}/{path.relative_to(results).as_posix()}"
        build_data["force_include"][str(results / "imbalance.csv")] = f"{THERE_TOO}/imbalance.csv"  # a lesson shows it
