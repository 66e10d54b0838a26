"""Run the named benchmarks, or all of them, and print one Markdown table each."""

import sys
from importlib import import_module
from pathlib import Path

# Gigabytes of disk, minutes, a browser, or a quiet machine: only when named.
LARGE = {"big_bank", "imbalance", "pages", "visitors"}


def main() -> None:
    """Each module of this folder has `main()`, which prints its table."""
    here = Path(__file__).parent
    names = sorted(path.stem for path in here.glob("[a-z]*.py"))
    for name in sys.argv[1:] or [name for name in names if name not in LARGE]:
        print(f"\n## {name}\n", flush=True)
        import_module(f"benchmarks.{name}").main()


main()
