"""When something is due again, and how fast a run goes."""

import time

__all__ = ["Beat", "Pace"]


class Beat:
    """Something that happens at most every so many seconds.

    Args:
        every: Seconds, 0 or more.
        at_once: Whether it is due from the beginning.
    """

    def __init__(self, every: float, *, at_once: bool = False) -> None:
        self._every = every
        self._last = -float("inf") if at_once else time.monotonic()

    def due(self) -> bool:
        """Whether so much time has passed since it was last due."""
        now = time.monotonic()
        if now - self._last < self._every:
            return False
        self._last = now
        return True


class Pace:
    """Of this process; what earlier ones took is added to the seconds alone.

    Args:
        done: Steps before.
        steps: Of the whole run.
        images: Per step.
        seconds: Before.
    """

    def __init__(self, done: int, steps: int, images: int, seconds: float = 0.0) -> None:
        self._from, self._steps, self._images, self._before = done, steps, images, seconds
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """In training and validating, over all processes that worked in this folder one after the other."""
        return self._before + time.monotonic() - self._start

    def numbers(self, done: int) -> dict[str, float]:
        """Images a second, and seconds left, validations included; `done` is above the steps before."""
        speed = (done - self._from) / max(time.monotonic() - self._start, 1e-9)
        return {
            "images_per_second": round(speed * self._images, 1),
            "seconds_left": round((self._steps - done) / speed, 1),
        }
