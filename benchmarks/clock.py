"""The clock and the table that all benchmarks share."""

import os
import platform
import time
from collections.abc import Callable, Iterable

import torch


def cpu_seconds(work: Callable[[], object], repeat: int = 1) -> float:
    """Median CPU seconds of this process over `repeat` runs; unlike wall time it does not see the neighbours."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return sorted(times)[len(times) // 2]


def machine() -> str:
    """One line to print above a table."""
    return f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}, {platform.machine()}"


def table(header: Iterable[str], lines: Iterable[Iterable[str]]) -> None:
    """Markdown."""
    header = list(header)
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for line in lines:
        print("| " + " | ".join(line) + " |", flush=True)


def main() -> None:
    """Nothing to measure: prints the machine."""
    print(machine())
