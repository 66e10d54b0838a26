"""k-nearest-neighbour scores of 10,000 queries against 50,000 × 512 rows, beside faiss' exact flat index."""

import time

import faiss
import torch
from torch.nn.functional import normalize

from benchmarks.clock import machine, table
from oodcore.records import Bank, Head, Outputs
from oodcore.scorers import scorers

ROWS, QUERIES, WIDTH, K = 50_000, 10_000, 512, 50


def main() -> None:
    """Wall and CPU seconds of one search each, twice, the second counted; the distances are compared."""
    print(machine())
    faiss.omp_set_num_threads(torch.get_num_threads())
    features, queries = torch.randn(ROWS, WIDTH).relu(), torch.randn(QUERIES, WIDTH).relu()
    head = Head(torch.randn(10, WIDTH), torch.zeros(10))
    fitted = scorers["knn"](k=K).fit(Bank(Outputs(head(features), features), torch.arange(ROWS) % 10, head))
    outputs = Outputs(head(queries), queries)
    index = faiss.IndexFlatL2(WIDTH)
    index.add(normalize(features).numpy())

    def theirs() -> torch.Tensor:
        squared, _ = index.search(normalize(queries).numpy(), K)
        return torch.from_numpy(squared[:, -1]).clamp_min(0).sqrt()

    lines, results, clocks = [], [], []
    for name, work in {"oodcore knn": lambda: fitted(outputs), "faiss IndexFlatL2": theirs}.items():
        work()
        wall, cpu = time.perf_counter(), time.process_time()
        results.append(work().float())
        clocks.append((time.perf_counter() - wall, time.process_time() - cpu))
        lines.append([name, f"{clocks[-1][0]:.2f}", f"{clocks[-1][1]:.2f}"])
    lines.append(["ratio", *(f"{ours / faiss_s:.2f}" for ours, faiss_s in zip(*clocks, strict=True))])
    table(["", "wall s", "CPU s"], lines)
    print(f"largest difference of the distances: {(results[0] - results[1]).abs().max():.1e}")
