"""Runs: a folder that holds recipe, events, state, status and result is the single truth that CLI and app read."""

from oodcore.jobs.folder import BusyError, RunFolder, Status
from oodcore.jobs.prepare import Prepared, prepare
from oodcore.jobs.run import Event, run

__all__ = ["BusyError", "Event", "Prepared", "RunFolder", "Status", "prepare", "run"]
