"""Do the tests bite? Every line of `bugs.toml` is planted in a copy of the tree; the tests named with it must fail.

    python tests/planted/run.py [PART OF A NAME]

The same tests must pass without the bug, or failing would prove nothing. A real bug that slipped through adds its line.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
COPIED, LINKED = ("oodcore", "app", "tests"), ("checkpoints", ".streamlit")


class Bug(NamedTuple):
    """One replacement in one file, and where it should be noticed."""

    name: str
    file: str
    old: str
    new: str
    tests: list[str]


def read(part: str) -> list[Bug]:
    """The list, narrowed to names that contain `part`."""
    listed = tomllib.loads((Path(__file__).parent / "bugs.toml").read_text())["bug"]
    return [Bug(**bug) for bug in listed if part in bug["name"]]


def failed(tests: list[str], bug: Bug | None = None) -> bool:
    """Whether the tests fail in a copy of the tree, with the bug planted if one is given."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in COPIED:
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", "shots"))
        for part in LINKED:
            (copy / part).symlink_to(ROOT / part)
        shutil.copy(ROOT / "pyproject.toml", copy)
        if bug is not None:
            plant(bug, copy / bug.file)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(copy)}  # the copy, not what is installed
        environment.pop("OOD_REQUIRE_DATA", None)
        run = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    if run.returncode not in (0, 1):  # 1 is a failed test; anything else is a broken set-up, which proves nothing
        raise SystemExit(f"{bug or 'control'}: the tests did not run.\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return run.returncode == 1


def plant(bug: Bug, target: Path) -> None:
    """Replace the one place."""
    source = target.read_text()
    if source.count(bug.old) != 1:
        raise SystemExit(f"{bug.name}: '{bug.old}' stands {source.count(bug.old)} times in {bug.file}, expected once.")
    target.write_text(source.replace(bug.old, bug.new))


def main() -> None:
    """Print a line a bug; exit 1 if one survived."""
    bugs = read(sys.argv[1] if len(sys.argv) > 1 else "")
    files = sorted({test for bug in bugs for test in bug.tests if test.startswith("tests/")})
    with ThreadPoolExecutor(max_workers=2) as pool:
        control = pool.submit(failed, files)
        verdicts = list(pool.map(lambda bug: failed(bug.tests, bug), bugs))
    if control.result():
        raise SystemExit("The tests fail without any bug planted: nothing is proved.")
    for bug, verdict in zip(bugs, verdicts, strict=True):
        print(f"{'caught  ' if verdict else 'SURVIVED'}  {bug.name}")
    print(f"planted bugs: {sum(verdicts)} of {len(bugs)} caught")
    sys.exit(0 if all(verdicts) else 1)


if __name__ == "__main__":
    main()
