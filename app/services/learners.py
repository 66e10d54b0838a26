"""What each visitor answered and solved in the lessons, kept while the server runs: a refresh begins nothing anew."""

from dataclasses import dataclass, field

from app.services import jobs
from app.services.memory import Memory

__all__ = ["Learner", "learner"]

MOST = 5_000
"""Visitors; those who were away for longest are forgotten."""


@dataclass
class Learner:
    """One visitor.

    Args:
        answers: Lesson and step → the option that was chosen.
        solved: Lessons whose task is.
    """

    answers: dict[tuple[str, int], str] = field(default_factory=dict)
    solved: set[str] = field(default_factory=set)


_LEARNERS: Memory[str, Learner] = Memory(MOST)


def learner() -> Learner:
    """Who is asking, known by the token of the browser."""
    return _LEARNERS.find(jobs.owner(), Learner)
