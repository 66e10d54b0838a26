"""Runs: a folder that holds recipe, events, state, status and result is the single truth that CLI and app read."""

from oodcore.jobs.folder import BusyError, RunFolder, Status, UnwritableError
from oodcore.jobs.prepare import Measured, Prepared, prepare
from oodcore.jobs.queue import Job, LimitError, Limits, Queue, RefusedError, Standing, jobs_folder
from oodcore.jobs.run import Event, run
from oodcore.jobs.validate import validate

__all__ = [
    "BusyError",
    "Event",
    "Job",
    "LimitError",
    "Limits",
    "Measured",
    "Prepared",
    "Queue",
    "RefusedError",
    "RunFolder",
    "Standing",
    "Status",
    "UnwritableError",
    "jobs_folder",
    "prepare",
    "run",
    "validate",
]
