"""A kind of job for tests: counts; the order says how far, how slowly, and what goes wrong."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from oodcore.errors import DataError
from oodcore.jobs.folder import RunFolder
from oodcore.jobs.kinds import telling
from oodcore.jobs.run import Event


def steps(order: Mapping[str, Any]) -> int:
    return int(order["to"])


def work(order: Mapping[str, Any], place: RunFolder, *, root: Path | None) -> Iterator[Event]:
    so_far = place.path / "so far"
    start = int(so_far.read_text()) if so_far.is_file() else 0
    hold = bytearray(order.get("memory", 0))
    tell = telling(place)
    for second in range(10 * order.get("looking", 0)):
        tell("Looking", second, 10 * order["looking"])
        time.sleep(0.1)
    for count in range(start + 1, order["to"] + 1):
        if count == order.get("fails at"):
            raise DataError("Seven is not a number for this.")
        if count == order.get("breaks at"):
            raise IndexError("out of range")
        time.sleep(order.get("each", 0.0))
        so_far.write_text(str(count))
        yield Event("step", count, {"steps": order["to"], "value": count**2, "held": len(hold)})
    (place.path / "result").mkdir(exist_ok=True)
    (place.path / "result" / "sum.txt").write_text(str(order["to"]))
