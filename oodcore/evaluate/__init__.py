"""From a network and image sets to a fitted panel, a reference and a report: what command line, app and builds share.

Each set passes through the network once, and every scorer reads the same outputs. Only gradient scorers look at the
images again. What was computed is found again by content where a cache folder is given.
"""

from oodcore.evaluate.compare import ClosedSet, Evaluation, evaluate, evaluating
from oodcore.evaluate.fit import Choice, as_trained, choose, fit_panel, select_block, tail_of
from oodcore.evaluate.reference import make_reference
from oodcore.evaluate.work import Progress, Work, scores_of

__all__ = [
    "Choice",
    "ClosedSet",
    "Evaluation",
    "Progress",
    "Work",
    "as_trained",
    "choose",
    "evaluate",
    "evaluating",
    "fit_panel",
    "make_reference",
    "scores_of",
    "select_block",
    "tail_of",
]
