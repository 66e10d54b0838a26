"""Runs: a folder that holds recipe, events, state, status and result is the single truth that CLI and app read."""

from oodcore.jobs.folder import BusyError, RunFolder, Status, UnwritableError
from oodcore.jobs.prepare import Measured, Prepared, prepare
from oodcore.jobs.run import Event, run
from oodcore.jobs.validate import validate

__all__ = [
    "BusyError",
    "Event",
    "Measured",
    "Prepared",
    "RunFolder",
    "Status",
    "UnwritableError",
    "prepare",
    "run",
    "validate",
]
