"""What `import oodcore` adds to torch and torchvision, and how long `ood --help` takes."""

import subprocess
import sys

from benchmarks.clock import machine, table

MEASURE = """
import resource, sys
{before}
start = resource.getrusage(resource.RUSAGE_SELF)
{work}
end = resource.getrusage(resource.RUSAGE_SELF)
print(end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime)
"""
CASES = {
    "import oodcore": ("import torch, torchvision", "import oodcore"),
    "import everything of oodcore that scoring needs": (
        "import torch, torchvision",
        "import oodcore.panel, oodcore.checkpoint, oodcore.models.collect, oodcore.data",
    ),
    "import torch, torchvision": ("", "import torch, torchvision"),
    "ood --help": (
        "sys.argv = ['ood', '--help']",
        "from oodcore.cli import main\nimport io, contextlib\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n    try: main()\n    except SystemExit: pass",
    ),
}


def seconds(before: str, work: str) -> float:
    """Median of five fresh interpreters."""
    code = MEASURE.format(before=before, work=work)
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(5)]
    return sorted(float(run.stdout) for run in runs)[2]


def main() -> None:
    """CPU seconds, median of five."""
    print(machine())
    table(["", "CPU s"], ([name, f"{seconds(*case):.3f}"] for name, case in CASES.items()))
