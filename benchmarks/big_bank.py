"""Mahalanobis and ViM fitted on as many rows as ImageNet has, 1,281,167 × 2,048 features, from a file, in chunks.

    OOD_BENCH_ROWS=100000 python -m benchmarks big_bank     # smaller

The features are generated: class centres, a few shared directions, noise, ReLU. The file takes
15.6 GB of disk, logits included.
"""

import os
import resource
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.clock import machine, table
from oodcore.models.bank_on_disk import BankOnDisk, BankWriter
from oodcore.panel import Panel
from oodcore.records import Head, Outputs

ROWS = int(os.environ.get("OOD_BENCH_ROWS", "1281167"))
WIDTH, CLASSES, BATCH = 2048, 1000, 4096


def resident_gb() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def write(path: Path) -> None:
    """Generate and write, batch by batch."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(CLASSES, WIDTH, generator=generator)
    mixing = torch.randn(64, WIDTH, generator=generator) / 8
    head = Head(centres / WIDTH**0.5, torch.zeros(CLASSES))
    with BankWriter(path, ROWS, head) as writer:
        for start in range(0, ROWS, BATCH):
            n = min(BATCH, ROWS - start)
            labels = torch.arange(start, start + n) % CLASSES
            shared = torch.randn(n, 64, generator=generator) @ mixing
            features = (centres[labels] + shared + 0.5 * torch.randn(n, WIDTH, generator=generator)).relu()
            writer.add(Outputs(head(features), features), labels)


def main() -> None:
    """Wall time of the fit, and memory before and after it."""
    print(machine())
    with tempfile.TemporaryDirectory(dir=os.environ.get("OOD_BENCH_FOLDER")) as folder:
        path = Path(folder) / "bank.safetensors"
        write(path)
        before = resident_gb()
        wall, cpu = time.perf_counter(), time.process_time()
        panel = Panel(["mahalanobis", "vim"]).fit(BankOnDisk(path))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        size = path.stat().st_size / 2**30
    table(
        ["rows", "features", "file", "peak memory before the fit", "peak memory after", "fit, wall s", "fit, CPU s"],
        [[f"{ROWS:,}", f"{WIDTH:,}", f"{size:.1f} GiB", f"{before:.2f} GiB", f"{resident_gb():.2f} GiB",
          f"{wall:.0f}", f"{cpu:.0f}"]],
    )  # fmt: skip
    probe = torch.randn(4, WIDTH).relu()
    print("scores of four new rows:", panel(Outputs(torch.randn(4, CLASSES), probe)))
