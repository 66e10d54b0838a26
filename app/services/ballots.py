"""How a class answered: counts of options on disk, shared by everyone, without a trace of who they were."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from filelock import FileLock, Timeout

from oodcore.atomic import replacing
from oodcore.data.roots import cache_folder

__all__ = ["Ballots", "ballots"]

MOST = 100_000  # votes for one option; further ones are not counted
QUESTIONS = 500  # in the file; further ones are not kept
WAIT = 2.0  # seconds for another server that counts at the same moment


class Ballots:
    """Question → option → how often it was chosen.

    Args:
        file: Where they are kept. Where it cannot be written, they are counted for as long as the server runs.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._here: dict[str, dict[str, int]] = {}
        self._lock = Lock()

    def vote(self, question: str, option: str, options: Sequence[str]) -> dict[str, int]:
        """Count one, and hand back the counts of all options."""
        with self._lock:
            counts = self._here
            with suppress(OSError, Timeout):
                self.file.parent.mkdir(parents=True, exist_ok=True)
                with FileLock(f"{self.file}.lock", timeout=WAIT):
                    counts = self._add(self._read(), question, option)
                    with replacing(self.file) as part:
                        part.write_text(json.dumps(counts), encoding="utf-8")
                self._here = counts
                return _of(counts, question, options)
            self._here = self._add(counts, question, option)
            return _of(self._here, question, options)

    def counts(self, question: str, options: Sequence[str]) -> dict[str, int]:
        """How often each option was chosen so far."""
        with self._lock:
            return _of(self._read(), question, options)

    def _read(self) -> dict[str, dict[str, int]]:
        """What is on disk; a file that makes no sense counts as empty, one that cannot be read as what was known."""
        try:
            found = json.loads(self.file.read_text(encoding="utf-8"))
            return {str(name): {str(option): int(n) for option, n in part.items()} for name, part in found.items()}
        except OSError:
            return self._here
        except (ValueError, AttributeError, TypeError):
            return {}

    def _add(self, counts: dict[str, dict[str, int]], question: str, option: str) -> dict[str, dict[str, int]]:
        if question in counts or len(counts) < QUESTIONS:
            part = counts.setdefault(question, {})
            part[option] = min(MOST, part.get(option, 0) + 1)
        return counts


def ballots() -> Ballots:
    """Of this server's cache folder."""
    file = cache_folder() / "learn" / "answers.json"
    return _OPEN.setdefault(file, Ballots(file))


_OPEN: dict[Path, Ballots] = {}


def _of(counts: dict[str, dict[str, int]], question: str, options: Sequence[str]) -> dict[str, int]:
    return {option: counts.get(question, {}).get(option, 0) for option in options}
