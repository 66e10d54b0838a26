"""Do the tests bite? Every line of `bugs.toml` is planted in a copy of the tree; the tests named with it must fail.

    python tests/planted/run.py [PART OF A NAME]

The same tests must pass without the bug, or failing would prove nothing. A real bug that slipped through adds its line.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch; forking needs a process without threads
os.environ.pop("OOD_REQUIRE_DATA", None)

import shutil
import sys
import tempfile
import tomllib
import traceback
from pathlib import Path
from typing import NamedTuple

import lightning.fabric  # noqa: F401 - imported for all that follow
import pytest
import skimage  # noqa: F401
import sklearn.metrics  # noqa: F401
import torchvision  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
COPIED, LINKED = ("oodcore", "app", "tests"), ("checkpoints", "docs", ".streamlit")
AT_ONCE, BROKEN = 2, 70


class Bug(NamedTuple):
    """One replacement in one file, and where it should be noticed."""

    name: str
    file: str
    old: str
    new: str
    tests: list[str]


def read(part: str) -> list[Bug]:
    """The list, narrowed to names that contain `part`; every place is looked up before anything runs."""
    listed = tomllib.loads((Path(__file__).parent / "bugs.toml").read_text())["bug"]
    bugs = [Bug(**bug) for bug in listed if part in bug["name"]]
    if lost := [told for bug in bugs if (told := misplaced(bug))]:
        raise SystemExit("\n".join(lost))
    return bugs


def misplaced(bug: Bug) -> str:
    """A sentence where the bug's place is not found exactly once."""
    found = (ROOT / bug.file).read_text().count(bug.old) if (ROOT / bug.file).is_file() else 0
    return "" if found == 1 else f"{bug.name}: '{bug.old}' stands {found} times in {bug.file}, expected once."


def start(tests: list[str], bug: Bug | None) -> int:
    """Run the tests in a copy of the tree, with the bug planted if one is given; returns the number of the process."""
    child = os.fork()  # the libraries are imported once, before; the tree under test only here
    if child:
        return child
    code = BROKEN
    try:
        with tempfile.TemporaryDirectory() as folder:
            code = run(tests, bug, Path(folder))
    except BaseException:
        traceback.print_exc()  # nothing else would tell it
    finally:
        os._exit(code)


def run(tests: list[str], bug: Bug | None, copy: Path) -> int:
    """pytest's exit code; what it prints is shown where the tests did not run, or fail without a bug."""
    for part in COPIED:
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", "shots"))
    for part in LINKED:
        (copy / part).symlink_to(ROOT / part)
    shutil.copy(ROOT / "pyproject.toml", copy)
    if bug is not None:
        target = copy / bug.file
        target.write_text(target.read_text().replace(bug.old, bug.new))
    os.chdir(copy)
    sys.path.insert(0, str(copy))  # the copy, not what is installed
    os.environ["PYTHONPATH"] = str(copy)
    with (copy / "log").open("w") as log:
        shown = os.dup(2)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        code = int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", *tests]))
    if code not in (0, 1) or (bug is None and code):
        os.write(shown, f"{bug or 'control'}: exit code {code}.\n{(copy / 'log').read_text()[-3000:]}".encode())
    return code


def verdicts(jobs: list[tuple[list[str], Bug | None]]) -> list[int]:
    """Exit codes, two at a time."""
    waiting, running, codes = list(enumerate(jobs)), dict[int, int](), [BROKEN] * len(jobs)
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            index, job = waiting.pop(0)
            running[start(*job)] = index
        child, status = os.wait()
        codes[running.pop(child)] = os.waitstatus_to_exitcode(status)
    return codes


def main() -> None:
    """Print a line a bug; exit 1 if one survived."""
    bugs = read(sys.argv[1] if len(sys.argv) > 1 else "")
    files = sorted({test for bug in bugs for test in bug.tests if test.startswith("tests/")})
    control, *found = verdicts([(files, None), *((bug.tests, bug) for bug in bugs)])
    if any(code not in (0, 1) for code in (control, *found)):  # 1 is a failed test; anything else proves nothing
        raise SystemExit("Some tests did not run: nothing is proved.")
    if control:
        raise SystemExit("The tests fail without any bug planted: nothing is proved.")
    for bug, code in zip(bugs, found, strict=True):
        print(f"{'caught  ' if code else 'SURVIVED'}  {bug.name}")
    print(f"planted bugs: {sum(found)} of {len(bugs)} caught")
    sys.exit(0 if all(found) else 1)


if __name__ == "__main__":
    main()
