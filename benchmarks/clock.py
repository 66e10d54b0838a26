"""The clock and the table that all benchmarks share."""

import os
import platform
import time
from collections.abc import Callable, Iterable

import torch


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process; it still grows when neighbours share the caches and the memory."""
    start = time.process_time()
    work()
    return time.process_time() - start


def beside(work: Callable[[], object], baseline: Callable[[], object], repeat: int = 1) -> tuple[float, float]:
    """CPU seconds and ratio, medians; each run stands between two of the baseline, so that drift cancels."""
    costs, ratios = [], []
    for _ in range(repeat):
        before, cost, after = cpu_seconds(baseline), cpu_seconds(work), cpu_seconds(baseline)
        costs.append(cost)
        ratios.append(2 * cost / (before + after))
    return sorted(costs)[repeat // 2], sorted(ratios)[repeat // 2]


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
